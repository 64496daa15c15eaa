package io.peft4j.tuning.online.group;

import ai.djl.util.Preconditions;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Rollout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The settings that {@link GrpoTrainer} and {@link RlooTrainer} share, under TRL's names: both
 * compare several answers to the same prompt, and neither needs a value function.
 */
public abstract sealed class GroupConfig permits GrpoConfig, RlooConfig {

    private final int numGenerations;
    private final GenerationConfig generation;
    private final GenerationConfig evalGeneration;
    private final int numIterations;
    private final double beta;
    private final double epsilon;
    private final double epsilonHigh;
    private final boolean maskTruncated;
    private final @Nullable ReferenceSync sync;

    GroupConfig(Builder<?> builder) {
        numGenerations = builder.numGenerations;
        generation = builder.generation;
        evalGeneration =
                builder.evalGeneration != null
                        ? builder.evalGeneration
                        : generation.toBuilder().optTemperature(0).build();
        numIterations = builder.numIterations;
        beta = builder.beta;
        epsilon = builder.epsilon;
        epsilonHigh = builder.epsilonHigh == null ? epsilon : builder.epsilonHigh;
        maskTruncated = builder.maskTruncated;
        sync = builder.sync;
    }

    /**
     * Returns how many answers a prompt gets.
     *
     * @return the size of a group
     */
    public int numGenerations() {
        return numGenerations;
    }

    /**
     * Returns how answers are sampled.
     *
     * @return the sampling
     */
    public GenerationConfig generation() {
        return generation;
    }

    /**
     * Returns how held-out prompts are answered.
     *
     * @return the sampling, greedy unless set
     */
    public GenerationConfig evalGeneration() {
        return evalGeneration;
    }

    /**
     * Returns how often the optimizer moves on the same answers.
     *
     * @return the updates of a step
     */
    public int numIterations() {
        return numIterations;
    }

    /**
     * Returns how strongly the policy is held to the reference.
     *
     * @return β; at 0 there is no reference
     */
    public double beta() {
        return beta;
    }

    /**
     * Returns how far a probability may fall before its gradient ends.
     *
     * @return ε, the ratio's distance from 1
     */
    public double epsilon() {
        return epsilon;
    }

    /**
     * Returns how far a probability may rise before its gradient ends.
     *
     * @return the ratio's distance from 1
     */
    public double epsilonHigh() {
        return epsilonHigh;
    }

    /**
     * Tells whether answers that were cut are not learned from.
     *
     * @return whether they are left out
     */
    public boolean maskTruncatedCompletions() {
        return maskTruncated;
    }

    /**
     * Returns how the reference follows the policy.
     *
     * @return empty if it never moves
     */
    public Optional<ReferenceSync> referenceSync() {
        return Optional.ofNullable(sync);
    }

    /** Tells whether an answer is learned from. */
    final boolean isLearned(Completion completion) {
        return completion.ended() || !maskTruncated;
    }

    /** Names the algorithm, for the provenance of what it trains. */
    abstract String kind();

    /** Compares the answers of a step. */
    abstract Advantages advantages(Rollout rollout);

    /** Returns the loss of an answer. */
    abstract PolicyLoss loss();

    /** Tells whether policy and reference are compared before the loss is computed. */
    abstract boolean comparesBefore();

    /** Tells whether there is something to learn of answers that are all alike. */
    abstract boolean learnsFromEqualRewards();

    /**
     * Returns the weight that the loss of a token, or of an answer, has in a step's.
     *
     * @param tokens how many tokens of the answer are learned from
     * @param answers the answers of the step
     * @param allTokens the tokens of all of them that are learned from
     */
    abstract double weight(int tokens, int answers, long allTokens);

    /** Tells of the rollout what only this algorithm looks at, under TRL's names. */
    Map<String, Double> metrics(Rollout rollout) {
        return Map.of();
    }

    /** Returns what a resumed run must share. */
    Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("num_generations", String.valueOf(numGenerations));
        settings.put("num_iterations", String.valueOf(numIterations));
        settings.put("beta", String.valueOf(beta));
        settings.put("epsilon", String.valueOf(epsilon));
        settings.put("epsilon_high", String.valueOf(epsilonHigh));
        settings.put("mask_truncated_completions", String.valueOf(maskTruncated));
        referenceSync()
                .ifPresent(
                        s -> {
                            settings.put("ref_model_mixup_alpha", String.valueOf(s.mixupAlpha()));
                            settings.put("ref_model_sync_steps", String.valueOf(s.steps()));
                        });
        return settings;
    }

    /**
     * Builds the settings that both share.
     *
     * @param <B> the builder of one of both
     */
    public abstract static sealed class Builder<B extends Builder<B>>
            permits GrpoConfig.Builder, RlooConfig.Builder {

        private int numGenerations;
        private GenerationConfig generation =
                GenerationConfig.builder().optMaxNewTokens(512).optTemperature(1).build();
        private @Nullable GenerationConfig evalGeneration;
        private int numIterations = 1;
        private double beta;
        private double epsilon = 0.2;
        private @Nullable Double epsilonHigh;
        private boolean maskTruncated;
        private @Nullable ReferenceSync sync;

        Builder(int numGenerations, double beta) {
            this.numGenerations = numGenerations;
            this.beta = beta;
        }

        abstract B self();

        /**
         * Sets how many answers to a prompt are compared.
         *
         * @param count two at least
         * @return this builder
         */
        public B optNumGenerations(int count) {
            numGenerations = count;
            return self();
        }

        /**
         * Sets how answers are sampled. Log-probabilities are taken at the same temperature, as in
         * TRL, but of all tokens, whatever top-k, top-p and other settings leave of them. Its seed
         * is not used: the run's is.
         *
         * @param sampling 512 tokens at temperature 1 unless set
         * @return this builder
         */
        public B optGeneration(GenerationConfig sampling) {
            generation = sampling;
            return self();
        }

        /**
         * Sets how held-out prompts are answered, once each.
         *
         * @param sampling the same without chance unless set
         * @return this builder
         */
        public B optEvalGeneration(GenerationConfig sampling) {
            evalGeneration = sampling;
            return self();
        }

        /**
         * Sets how often the optimizer moves on the same answers.
         *
         * @param count 1 unless set
         * @return this builder
         */
        public B optNumIterations(int count) {
            numIterations = count;
            return self();
        }

        /**
         * Sets β, which holds the policy to the reference: the larger, the closer. At 0 there is no
         * reference.
         *
         * @param strength 0 for GRPO and 0.05 for RLOO unless set
         * @return this builder
         */
        public B optBeta(double strength) {
            beta = strength;
            return self();
        }

        /**
         * Sets ε: beyond a ratio of 1 − ε and 1 + ε to the probability that an answer was given
         * with, a step learns no more of it.
         *
         * @param distance 0.2 unless set
         * @return this builder
         */
        public B optEpsilon(double distance) {
            epsilon = distance;
            return self();
        }

        /**
         * Sets another ε for ratios above 1.
         *
         * @param distance the same unless set
         * @return this builder
         */
        public B optEpsilonHigh(double distance) {
            epsilonHigh = distance;
            return self();
        }

        /**
         * Has answers that the model did not end itself not learned from. They are rewarded and
         * compared with like others.
         *
         * @param leftOut false unless set
         * @return this builder
         */
        public B optMaskTruncatedCompletions(boolean leftOut) {
            maskTruncated = leftOut;
            return self();
        }

        /**
         * Has the reference follow the policy, TRL's {@code sync_ref_model}.
         *
         * @param how it follows; never unless set
         * @return this builder
         */
        public B optReferenceSync(ReferenceSync how) {
            sync = how;
            return self();
        }

        final void check() {
            Preconditions.checkArgument(
                    numGenerations >= 2,
                    "expected two answers to a prompt at least, to compare them, found "
                            + numGenerations);
            Preconditions.checkArgument(
                    generation.samples(),
                    "expected a temperature above 0, or all answers to a prompt would be the same");
            Preconditions.checkArgument(
                    numIterations >= 1, "expected one iteration at least, found " + numIterations);
            Preconditions.checkArgument(
                    beta >= 0 && Double.isFinite(beta),
                    "expected a beta of at least 0, found " + beta);
            Preconditions.checkArgument(
                    epsilon >= 0 && epsilon <= 1,
                    "expected an epsilon from 0 to 1, found " + epsilon);
            Preconditions.checkArgument(
                    epsilonHigh == null || epsilonHigh >= 0,
                    "expected an upper epsilon of at least 0, found " + epsilonHigh);
            Preconditions.checkArgument(
                    sync == null || beta > 0,
                    "a reference that follows the policy needs a beta above 0: at 0 there is no"
                            + " reference");
        }
    }
}
