package io.peft4j.tuning.online;

import io.peft4j.tuning.EvaluationResult;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What a step of learning from rewards begins with: answers to its prompts, how good they are, and
 * what policy and reference say of them.
 */
public final class Rollout {

    private final List<Completion> completions;
    private final int each;
    private final double[] rewards;
    private final @Nullable CompletionScores policy;
    private final @Nullable CompletionScores reference;
    private final Map<String, Double> metrics;

    /**
     * Makes a rollout.
     *
     * @param completions the answers, those to one prompt side by side
     * @param each how many answers a prompt has
     * @param rewards of each answer, the weighted sum of all rewards
     * @param policy what the policy said of the answers when it gave them; null if it was not asked
     * @param reference what the reference says of them; null if it was not asked
     * @param metrics what was seen, under TRL's names
     */
    Rollout(
            List<Completion> completions,
            int each,
            double[] rewards,
            @Nullable CompletionScores policy,
            @Nullable CompletionScores reference,
            Map<String, Double> metrics) {
        this.completions = List.copyOf(completions);
        this.each = each;
        this.rewards = rewards.clone();
        this.policy = policy;
        this.reference = reference;
        this.metrics = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    }

    /**
     * Returns the answers.
     *
     * @return those to one prompt side by side, in the order of the prompts
     */
    public List<Completion> completions() {
        return completions;
    }

    /**
     * Returns how many answers a prompt has.
     *
     * @return the size of a group
     */
    public int each() {
        return each;
    }

    /**
     * Returns how good the answers are.
     *
     * @return of each answer, the sum of all rewards, each times its weight, less what a missing
     *     end costs
     */
    public double[] rewards() {
        return rewards.clone();
    }

    /**
     * Returns what the policy said of the answers when it gave them.
     *
     * @return empty if it was not asked
     */
    public Optional<CompletionScores> policy() {
        return Optional.ofNullable(policy);
    }

    /**
     * Returns what the reference says of the answers.
     *
     * @return empty if it was not asked
     */
    public Optional<CompletionScores> reference() {
        return Optional.ofNullable(reference);
    }

    /**
     * Counts the tokens of prompts and answers.
     *
     * @return the tokens of all sequences, without padding
     */
    public long tokens() {
        return completions.stream()
                .mapToLong(one -> (long) one.prompt().ids().length + one.ids().length)
                .sum();
    }

    /**
     * Takes answers to held-out prompts for an evaluation.
     *
     * @return of each prompt, in their order, the mean reward of its answers with the sign turned,
     *     so that the smallest loss is the best reward; and the metrics
     */
    public EvaluationResult evaluation() {
        List<EvaluationResult.Row> rows = new ArrayList<>();
        for (int from = 0; from < rewards.length; from += each) {
            double mean = Arrays.stream(rewards, from, from + each).average().orElseThrow();
            rows.add(new EvaluationResult.Row(-mean, 1));
        }
        return new EvaluationResult(rows, metrics);
    }

    /**
     * Returns what was seen, under TRL's names: {@code reward}, {@code rewards/NAME/mean}, {@code
     * completions/mean_length} and the like.
     *
     * @return number by name
     */
    public Map<String, Double> metrics() {
        return metrics;
    }
}
