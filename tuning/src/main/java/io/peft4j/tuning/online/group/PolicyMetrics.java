package io.peft4j.tuning.online.group;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What TRL logs of updates by ratios, under its names: means over all tokens, or answers, of all
 * updates of a step.
 */
final class PolicyMetrics {

    private long tokens;
    private double entropy;
    private double divergence;
    private boolean compared;
    private long low;
    private long high;
    private long ratios;
    private double lowMin = Double.POSITIVE_INFINITY;
    private double highMax = Double.NEGATIVE_INFINITY;

    /** Adds a token. */
    void token(double ofDistribution) {
        tokens++;
        entropy += ofDistribution;
    }

    /** Adds an answer's KL divergence, summed over its tokens. */
    void divergence(double sum) {
        compared = true;
        divergence += sum;
    }

    /** Adds an answer: how many of its ratios went too low and too high. */
    void clipped(int tooLow, int tooHigh, int of) {
        if (of > 0) {
            low += tooLow;
            high += tooHigh;
            ratios += of;
            lowMin = Math.min(lowMin, (double) tooLow / of);
            highMax = Math.max(highMax, (double) tooHigh / of);
        }
    }

    Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        if (tokens > 0) {
            values.put("entropy", entropy / tokens);
            if (compared) {
                values.put("kl", divergence / tokens);
            }
        }
        if (ratios > 0) {
            values.put("clip_ratio/low_mean", (double) low / ratios);
            values.put("clip_ratio/low_min", lowMin);
            values.put("clip_ratio/high_mean", (double) high / ratios);
            values.put("clip_ratio/high_max", highMax);
            values.put("clip_ratio/region_mean", (double) (low + high) / ratios);
        }
        return values;
    }
}
