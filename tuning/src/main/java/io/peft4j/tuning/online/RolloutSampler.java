package io.peft4j.tuning.online;

import ai.djl.util.Preconditions;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.Seeds;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Has the policy answer a step's prompts, rewards the answers, and asks policy and reference for
 * their log-probabilities. What it makes depends on the run's seed, the step, the prompts and the
 * policy alone, so that a resumed run sees the same.
 */
public final class RolloutSampler {

    private final CompletionSampler sampler;
    private final List<Reward> rewards;
    private final int each;
    private final int batchSize;
    private final long seed;
    private final boolean scoringPolicy;
    private final @Nullable Role reference;
    private final double missingEosPenalty;

    private RolloutSampler(Builder builder) {
        sampler = Objects.requireNonNull(builder.sampler);
        rewards = builder.rewards;
        each = builder.each;
        batchSize = builder.batchSize;
        seed = builder.seed;
        scoringPolicy = builder.scoringPolicy;
        reference = builder.reference;
        missingEosPenalty = builder.missingEosPenalty;
    }

    /**
     * Makes a step's rollout. The policy is what is in effect on the calling thread.
     *
     * @param model the model, for log-probabilities
     * @param step the steps done before
     * @param prompts the step's prompts
     * @param beforeBatch is run before each batch of all that takes long, and with each token that
     *     is generated; it may throw, to end this
     * @return the rollout
     * @throws RewardException if a reward is not a finite number
     */
    public Rollout sample(
            LanguageModel model, int step, List<Prompt> prompts, Runnable beforeBatch) {
        List<Completion> completions =
                sampler.sample(prompts, each, Seeds.mix(seed, step), beforeBatch);
        Map<String, Double> metrics = new LinkedHashMap<>();
        double[] sums = rewards(completions, metrics);
        metrics.putAll(RolloutMetrics.lengths(completions));
        return new Rollout(
                completions,
                each,
                sums,
                scoringPolicy ? scores(model, completions, beforeBatch) : null,
                reference == null ? null : ofReference(model, completions, beforeBatch),
                metrics);
    }

    /**
     * Refuses prompts that have no room for an answer, or whose answers could not be judged.
     *
     * @param prompts what will be asked
     * @throws io.peft4j.models.InvalidTokensException if one is too long
     * @throws RewardException if the answers to one cannot be judged
     */
    public void requireAnswerable(List<Prompt> prompts) {
        sampler.requireRoom(prompts);
        Reward.requireJudgeable(rewards, prompts);
    }

    /** Sums all judges' rewards, each times its weight, and tells of them. */
    private double[] rewards(List<Completion> completions, Map<String, Double> metrics) {
        double[] sums = new double[completions.size()];
        for (Reward reward : rewards) {
            double[] own = reward.of(completions);
            metrics.putAll(RolloutMetrics.of(reward, own));
            for (int i = 0; i < sums.length; i++) {
                sums[i] += reward.weight() * own[i];
            }
        }
        for (int i = 0; i < sums.length; i++) {
            sums[i] -= completions.get(i).ended() ? 0 : missingEosPenalty;
        }
        Moments moments = Moments.of(sums);
        metrics.put("reward", moments.mean());
        metrics.put("reward_std", moments.deviation());
        return sums;
    }

    private CompletionScores ofReference(
            LanguageModel model, List<Completion> completions, Runnable beforeBatch) {
        try (AdapterScope scope = Objects.requireNonNull(reference).enter()) {
            return scores(model, completions, beforeBatch);
        }
    }

    private CompletionScores scores(
            LanguageModel model, List<Completion> completions, Runnable beforeBatch) {
        return CompletionScores.of(
                model, completions, sampler.temperature(), batchSize, beforeBatch);
    }

    /**
     * Returns what decides the answers and their rewards beside the model, the prompts and the
     * seed.
     *
     * @return setting by name
     */
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>(sampler.settings());
        settings.put(
                "rewards",
                rewards.stream()
                        .map(
                                one ->
                                        String.format(
                                                        Locale.ROOT,
                                                        "%s*%s %s",
                                                        one.name(),
                                                        one.weight(),
                                                        one.function().settings())
                                                .strip())
                        .collect(Collectors.joining(", ")));
        if (missingEosPenalty != 0) {
            settings.put("missing_eos_penalty", String.valueOf(missingEosPenalty));
        }
        return settings;
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link RolloutSampler}. */
    public static final class Builder {

        private @Nullable CompletionSampler sampler;
        private List<Reward> rewards = List.of();
        private int each = 1;
        private int batchSize = 8;
        private long seed = 42;
        private boolean scoringPolicy;
        private @Nullable Role reference;
        private double missingEosPenalty;

        private Builder() {}

        /**
         * Sets what samples the answers.
         *
         * @param one the sampler
         * @return this builder
         */
        public Builder setSampler(CompletionSampler one) {
            sampler = one;
            return this;
        }

        /**
         * Sets what judges the answers.
         *
         * @param judges one at least, each of a name of its own
         * @return this builder
         */
        public Builder setRewards(List<Reward> judges) {
            rewards = List.copyOf(judges);
            return this;
        }

        /**
         * Sets how many answers a prompt gets, TRL's {@code num_generations}.
         *
         * @param count 1 unless set
         * @return this builder
         */
        public Builder optNumGenerations(int count) {
            each = count;
            return this;
        }

        /**
         * Sets how many answers go through the model together when it is asked for
         * log-probabilities.
         *
         * @param count 8 unless set
         * @return this builder
         */
        public Builder optBatchSize(int count) {
            batchSize = count;
            return this;
        }

        /**
         * Sets what all random numbers come from.
         *
         * @param number the run's seed, 42 unless set
         * @return this builder
         */
        public Builder optSeed(long number) {
            seed = number;
            return this;
        }

        /**
         * Has the policy asked for the log-probabilities of its answers.
         *
         * @param asked false unless set
         * @return this builder
         */
        public Builder optScorePolicy(boolean asked) {
            scoringPolicy = asked;
            return this;
        }

        /**
         * Has a reference asked, too.
         *
         * @param role the reference; none unless set
         * @return this builder
         */
        public Builder optReference(Role role) {
            reference = role;
            return this;
        }

        /**
         * Sets what an answer's reward loses if the model did not end the answer itself, TRL's
         * {@code missing_eos_penalty}.
         *
         * @param penalty 0 unless set
         * @return this builder
         */
        public Builder optMissingEosPenalty(double penalty) {
            missingEosPenalty = penalty;
            return this;
        }

        /**
         * Builds it.
         *
         * @return the sampler of rollouts
         * @throws IllegalArgumentException if something is missing or out of its range
         */
        public RolloutSampler build() {
            Preconditions.checkArgument(sampler != null, "expected a sampler, found none");
            Reward.requireDistinct(rewards);
            Preconditions.checkArgument(
                    each > 0 && batchSize > 0,
                    "expected one answer to a prompt and in a batch at least, found "
                            + each
                            + " and "
                            + batchSize);
            Preconditions.checkArgument(
                    missingEosPenalty >= 0 && Double.isFinite(missingEosPenalty),
                    "expected a missing EOS penalty of at least 0, found " + missingEosPenalty);
            return new RolloutSampler(this);
        }
    }
}
