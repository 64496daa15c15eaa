package io.peft4j.tuning.online;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Rollouts of given answers, where a sampler would make others. */
public final class GivenRollouts {

    private GivenRollouts() {}

    public static Rollout of(
            List<Completion> completions,
            int each,
            double[] rewards,
            @Nullable CompletionScores policy,
            @Nullable CompletionScores reference,
            Map<String, Double> metrics) {
        return new Rollout(completions, each, rewards, policy, reference, metrics);
    }

    public static CompletionScores scores(float[][] logProbabilities) {
        return new CompletionScores(logProbabilities);
    }

    public static Map<String, Double> lengths(List<Completion> completions) {
        return RolloutMetrics.lengths(completions);
    }

    public static Map<String, Double> metrics(Reward reward, double[] values) {
        return RolloutMetrics.of(reward, values);
    }
}
