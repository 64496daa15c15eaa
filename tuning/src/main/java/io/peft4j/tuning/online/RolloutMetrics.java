package io.peft4j.tuning.online;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What TRL logs of sampled answers, under its names. */
final class RolloutMetrics {

    private RolloutMetrics() {}

    /** Tells of the lengths of answers, in tokens, the EOS token among them. */
    static Map<String, Double> lengths(List<Completion> completions) {
        Map<String, Double> values = new LinkedHashMap<>();
        double[] all = lengths(completions, false);
        double[] ended = lengths(completions, true);
        values.put("completions/mean_length", Moments.of(all).mean());
        values.put("completions/min_length", Arrays.stream(all).min().orElse(0));
        values.put("completions/max_length", Arrays.stream(all).max().orElse(0));
        values.put("completions/clipped_ratio", 1 - (double) ended.length / all.length);
        values.put("completions/mean_terminated_length", Moments.of(ended).mean());
        values.put("completions/min_terminated_length", Arrays.stream(ended).min().orElse(0));
        values.put("completions/max_terminated_length", Arrays.stream(ended).max().orElse(0));
        return values;
    }

    private static double[] lengths(List<Completion> completions, boolean ended) {
        return completions.stream()
                .filter(one -> !ended || one.ended())
                .mapToDouble(one -> one.ids().length)
                .toArray();
    }

    /** Tells of one judge's rewards, without its weight. */
    static Map<String, Double> of(Reward reward, double[] values) {
        Moments moments = Moments.of(values);
        Map<String, Double> told = new LinkedHashMap<>(); // its order is that of a file
        told.put("rewards/" + reward.name() + "/mean", moments.mean());
        told.put("rewards/" + reward.name() + "/std", moments.deviation());
        return told;
    }
}
