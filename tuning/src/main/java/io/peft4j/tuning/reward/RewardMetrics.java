package io.peft4j.tuning.reward;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What TRL logs of a reward model, under its names. Over a step of several batches all is over all
 * its pairs, the least and the greatest reward too, of which TRL logs the means over batches.
 */
final class RewardMetrics {

    private int pairs;
    private double losses;
    private double rewards;
    private double least = Double.POSITIVE_INFINITY;
    private double greatest = Double.NEGATIVE_INFINITY;
    private double margins;
    private int preferred;

    /** Adds a pair: its two rewards and its loss. */
    void add(double chosen, double rejected, double loss) {
        pairs++;
        losses += loss;
        rewards += chosen + rejected;
        least = Math.min(least, Math.min(chosen, rejected));
        greatest = Math.max(greatest, Math.max(chosen, rejected));
        margins += chosen - rejected;
        preferred += chosen > rejected ? 1 : 0;
    }

    /** Returns the mean loss of the pairs. */
    double loss() {
        return losses / Math.max(1, pairs);
    }

    Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        if (pairs > 0) {
            values.put("min_reward", least);
            values.put("mean_reward", rewards / (2 * pairs));
            values.put("max_reward", greatest);
            values.put("accuracy", (double) preferred / pairs);
            values.put("margin", margins / pairs);
        }
        return values;
    }
}
