package io.peft4j.tuning.reward;

import io.peft4j.models.HeadObjective;
import io.peft4j.models.HeadScores;
import io.peft4j.tuning.preference.PreferencePair;
import java.util.List;

/**
 * The loss of a batch of pairs, as a function of the scores of their last tokens: it is told them,
 * answers the slopes, and remembers what it has seen.
 */
final class RewardBatch implements HeadObjective {

    private final List<PreferencePair> pairs;
    private final RewardConfig config;
    private final double divisor;
    private final RewardMetrics metrics;
    private final double[] losses;

    /**
     * Begins a batch.
     *
     * @param pairs its pairs
     * @param config the loss
     * @param divisor what the sum of the losses is divided by
     * @param metrics gets what is seen
     */
    RewardBatch(
            List<PreferencePair> pairs,
            RewardConfig config,
            double divisor,
            RewardMetrics metrics) {
        this.pairs = pairs;
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
    public float[] slopes(HeadScores scores) {
        int count = pairs.size();
        float[] slopes = new float[2 * count];
        for (int i = 0; i < count; i++) {
            double chosen = scores.score(i);
            double rejected = scores.score(count + i);
            RewardLoss loss = config.loss(chosen, rejected, pairs.get(i).margin());
            losses[i] = loss.value();
            slopes[i] = (float) (loss.byChosen() / divisor);
            slopes[count + i] = (float) (loss.byRejected() / divisor);
            metrics.add(chosen, rejected, loss.value());
        }
        return slopes;
    }
}
