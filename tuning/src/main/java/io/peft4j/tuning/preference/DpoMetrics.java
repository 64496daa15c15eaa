package io.peft4j.tuning.preference;

import io.peft4j.models.TokenScores;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What TRL logs of preference learning, under its names: means over pairs of the rewards, β times
 * the {@link PairRatios}, and of the log-probabilities; and over the answers' tokens of logits and
 * entropies. Over a step of several batches all are means over all its pairs or tokens.
 */
final class DpoMetrics {

    private final double beta;
    private int pairs;
    private double losses;
    private double chosenRewards;
    private double rejectedRewards;
    private int preferred;
    private double chosenLogps;
    private double rejectedLogps;
    private final Tokens chosen = new Tokens();
    private final Tokens rejected = new Tokens();

    /** Sums over the tokens of one kind of answer. */
    private static final class Tokens {
        private int count;
        private double logits;
        private double entropy;
        private int likeliest;

        void add(TokenScores scores, int token) {
            count++;
            logits += scores.meanLogit(token);
            entropy += scores.entropy(token);
            likeliest += scores.isLikeliest(token) ? 1 : 0;
        }
    }

    DpoMetrics(double beta) {
        this.beta = beta;
    }

    /** Adds a pair: its ratios, the policy's log-probabilities and its loss. */
    void add(PairRatios ratios, double chosenLogp, double rejectedLogp, double loss) {
        pairs++;
        losses += loss;
        chosenRewards += beta * ratios.chosen();
        rejectedRewards += beta * ratios.rejected();
        preferred += ratios.chosen() > ratios.rejected() ? 1 : 0;
        chosenLogps += chosenLogp;
        rejectedLogps += rejectedLogp;
    }

    /** Adds the tokens of a batch, whose first half is of chosen answers. */
    void add(TokenScores scores) {
        for (int i = 0; i < scores.count(); i++) {
            (scores.rowOf(i) < scores.rows() / 2 ? chosen : rejected).add(scores, i);
        }
    }

    /** Returns the mean loss of the pairs. */
    double loss() {
        return losses / Math.max(1, pairs);
    }

    Map<String, Double> values() {
        double all = Math.max(1, pairs);
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("rewards/chosen", chosenRewards / all);
        values.put("rewards/rejected", rejectedRewards / all);
        values.put("rewards/accuracies", preferred / all);
        values.put("rewards/margins", (chosenRewards - rejectedRewards) / all);
        values.put("logps/chosen", chosenLogps / all);
        values.put("logps/rejected", rejectedLogps / all);
        values.put("logits/chosen", mean(chosen.logits, chosen.count));
        values.put("logits/rejected", mean(rejected.logits, rejected.count));
        values.put(
                "entropy", mean(chosen.entropy + rejected.entropy, chosen.count + rejected.count));
        values.put("mean_token_accuracy", mean(chosen.likeliest, chosen.count));
        return values;
    }

    private static double mean(double sum, int count) {
        return count == 0 ? 0 : sum / count;
    }
}
