package io.peft4j.tuning.preference;

import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import java.util.List;

/**
 * The loss of a batch of pairs, as a function of the policy's log-probabilities: it is told them,
 * answers the slopes, and remembers what it has seen.
 */
final class DpoBatch implements TokenObjective {

    private final List<PreferencePair> pairs;
    private final LogProbabilities reference;
    private final DpoConfig config;
    private final double divisor;
    private final DpoMetrics metrics;
    private final double[] losses;

    /**
     * Begins a batch.
     *
     * @param pairs its pairs
     * @param reference what the reference says of them
     * @param config the loss
     * @param divisor what the sum of the losses is divided by
     * @param metrics gets what is seen
     */
    DpoBatch(
            List<PreferencePair> pairs,
            LogProbabilities reference,
            DpoConfig config,
            double divisor,
            DpoMetrics metrics) {
        this.pairs = pairs;
        this.reference = reference;
        this.config = config;
        this.divisor = divisor;
        this.metrics = metrics;
        losses = new double[pairs.size()];
    }

    /** Returns the losses of the pairs, once they are known. */
    double[] losses() {
        return losses;
    }

    @Override
    public float[] slopes(TokenScores scores) {
        double[] byRow = see(scores);
        float[] slopes = new float[scores.count()];
        for (int i = 0; i < slopes.length; i++) {
            slopes[i] = (float) byRow[scores.rowOf(i)];
        }
        return slopes;
    }

    /** Computes the losses, and the slopes by the log-probability of each row. */
    double[] see(TokenScores scores) {
        double[] sums = scores.rowSums();
        int count = pairs.size();
        double[] byRow = new double[sums.length];
        for (int i = 0; i < count; i++) {
            PreferencePair pair = pairs.get(i);
            PairRatios ratios =
                    new PairRatios(
                            sums[i] - reference.chosen()[i],
                            sums[count + i] - reference.rejected()[i],
                            PreferencePair.answerTokens(pair.chosen()),
                            PreferencePair.answerTokens(pair.rejected()));
            PairLoss loss = config.loss(ratios);
            losses[i] = loss.value();
            byRow[i] = loss.byChosen() / divisor;
            byRow[count + i] = loss.byRejected() / divisor;
            metrics.add(ratios, sums[i], sums[count + i], loss.value());
        }
        metrics.add(scores);
        return byRow;
    }
}
