package io.peft4j.tuning.online.ppo;

import ai.djl.util.Preconditions;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.ReferenceSync;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/** The settings of {@link PpoTrainer}, under the names and with the defaults of TRL's PPO. */
public final class PpoConfig {

    private final GenerationConfig generation;
    private final GenerationConfig evalGeneration;
    private final int epochs;
    private final int miniBatches;
    private final double klCoef;
    private final KlEstimator klEstimator;
    private final boolean klInLoss;
    private final double clipRange;
    private final double valueCoef;
    private final double valueClipRange;
    private final Gae gae;
    private final boolean whitenRewards;
    private final @Nullable Double missingEosPenalty;
    private final @Nullable ReferenceSync sync;

    private PpoConfig(Builder builder) {
        generation = builder.generation;
        evalGeneration =
                builder.evalGeneration == null
                        ? generation.toBuilder().optTemperature(0).build()
                        : builder.evalGeneration;
        epochs = builder.epochs;
        miniBatches = builder.miniBatches;
        klCoef = builder.klCoef;
        klEstimator = builder.klEstimator;
        klInLoss = builder.klInLoss;
        clipRange = builder.clipRange;
        valueCoef = builder.valueCoef;
        valueClipRange = builder.valueClipRange;
        gae = new Gae(builder.gamma, builder.lambda);
        whitenRewards = builder.whitenRewards;
        missingEosPenalty = builder.missingEosPenalty;
        sync = builder.sync;
    }

    /**
     * Returns how answers are sampled.
     *
     * @return TRL's {@code response_length} and {@code temperature}, and more
     */
    public GenerationConfig generation() {
        return generation;
    }

    /**
     * Returns how held-out prompts are answered.
     *
     * @return the same without chance, unless set
     */
    public GenerationConfig evalGeneration() {
        return evalGeneration;
    }

    /**
     * Returns how often a step goes through its answers.
     *
     * @return TRL's {@code num_ppo_epochs}
     */
    public int epochs() {
        return epochs;
    }

    /**
     * Returns in how many parts an epoch is learned from.
     *
     * @return TRL's {@code num_mini_batches}
     */
    public int miniBatches() {
        return miniBatches;
    }

    /**
     * Returns how strongly the policy is held to the reference.
     *
     * @return TRL's {@code kl_coef}
     */
    public double klCoef() {
        return klCoef;
    }

    /**
     * Returns how the divergence from the reference is estimated.
     *
     * @return TRL's {@code kl_estimator}
     */
    public KlEstimator klEstimator() {
        return klEstimator;
    }

    /**
     * Tells where the divergence counts.
     *
     * @return true if it is a part of the loss, false if it is taken off the rewards
     */
    public boolean klInLoss() {
        return klInLoss;
    }

    /**
     * Returns how far a token's probability may go from what it was, before its loss is clipped.
     *
     * @return TRL's {@code cliprange}
     */
    public double clipRange() {
        return clipRange;
    }

    /**
     * Returns what the value loss is multiplied by.
     *
     * @return TRL's {@code vf_coef}
     */
    public double valueCoef() {
        return valueCoef;
    }

    /**
     * Returns how far a value may go from what it was, before its loss is clipped.
     *
     * @return TRL's {@code cliprange_value}
     */
    public double valueClipRange() {
        return valueClipRange;
    }

    /**
     * Returns how advantages are estimated.
     *
     * @return γ and λ
     */
    public Gae gae() {
        return gae;
    }

    /**
     * Tells whether rewards are brought to variance 1 first.
     *
     * @return TRL's {@code whiten_rewards}
     */
    public boolean whitenRewards() {
        return whitenRewards;
    }

    /**
     * Returns what is taken off the score of an answer that did not end.
     *
     * @return TRL's {@code missing_eos_penalty}
     */
    public OptionalDouble missingEosPenalty() {
        return missingEosPenalty == null
                ? OptionalDouble.empty()
                : OptionalDouble.of(missingEosPenalty);
    }

    /**
     * Returns how the reference follows the policy.
     *
     * @return empty if it never moves
     */
    public Optional<ReferenceSync> sync() {
        return Optional.ofNullable(sync);
    }

    /** Returns what a resumed run must share. */
    Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("num_ppo_epochs", String.valueOf(epochs));
        settings.put("num_mini_batches", String.valueOf(miniBatches));
        settings.put("kl_coef", String.valueOf(klCoef));
        settings.put("kl_estimator", klEstimator.trlName());
        settings.put("kl_in_loss", String.valueOf(klInLoss));
        settings.put("cliprange", String.valueOf(clipRange));
        settings.put("vf_coef", String.valueOf(valueCoef));
        settings.put("cliprange_value", String.valueOf(valueClipRange));
        settings.put("gamma", String.valueOf(gae.gamma()));
        settings.put("lam", String.valueOf(gae.lambda()));
        settings.put("whiten_rewards", String.valueOf(whitenRewards));
        sync().ifPresent(
                        s -> {
                            settings.put("ref_model_mixup_alpha", String.valueOf(s.mixupAlpha()));
                            settings.put("ref_model_sync_steps", String.valueOf(s.steps()));
                        });
        return settings;
    }

    /**
     * Creates a builder.
     *
     * @return the builder, with TRL's defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link PpoConfig}. */
    public static final class Builder {

        private GenerationConfig generation =
                GenerationConfig.builder().optMaxNewTokens(53).optTemperature(0.7).build();
        private @Nullable GenerationConfig evalGeneration;
        private int epochs = 4;
        private int miniBatches = 1;
        private double klCoef = 0.05;
        private KlEstimator klEstimator = KlEstimator.K1;
        private boolean klInLoss;
        private double clipRange = 0.2;
        private double valueCoef = 0.1;
        private double valueClipRange = 0.2;
        private double gamma = 1;
        private double lambda = 0.95;
        private boolean whitenRewards;
        private @Nullable Double missingEosPenalty;
        private @Nullable ReferenceSync sync;

        private Builder() {}

        /**
         * Sets how answers are sampled. Log-probabilities are those at its temperature.
         *
         * @param sampling 53 tokens at temperature 0.7 unless set; it must sample
         * @return this builder
         */
        public Builder optGeneration(GenerationConfig sampling) {
            generation = sampling;
            return this;
        }

        /**
         * Sets how held-out prompts are answered.
         *
         * @param sampling as {@link #optGeneration}, but the likeliest tokens, unless set
         * @return this builder
         */
        public Builder optEvalGeneration(GenerationConfig sampling) {
            evalGeneration = sampling;
            return this;
        }

        /**
         * Sets how often a step goes through its answers.
         *
         * @param count 4 unless set
         * @return this builder
         */
        public Builder optEpochs(int count) {
            epochs = count;
            return this;
        }

        /**
         * Sets in how many parts an epoch is learned from; the optimizer moves once for each. A
         * step with fewer answers has as many parts as answers.
         *
         * @param count 1 unless set
         * @return this builder
         */
        public Builder optMiniBatches(int count) {
            miniBatches = count;
            return this;
        }

        /**
         * Sets how strongly the policy is held to the reference.
         *
         * @param strength 0.05 unless set
         * @return this builder
         */
        public Builder optKlCoef(double strength) {
            klCoef = strength;
            return this;
        }

        /**
         * Sets how the divergence from the reference is estimated.
         *
         * @param estimator {@link KlEstimator#K1} unless set
         * @return this builder
         */
        public Builder optKlEstimator(KlEstimator estimator) {
            klEstimator = estimator;
            return this;
        }

        /**
         * Makes the divergence a part of the loss, as GRPO does, where it is differentiated and no
         * advantage has it. It needs {@link KlEstimator#K3}: the slope of {@link KlEstimator#K1} is
         * the same for all tokens, so that on average it holds the policy to nothing.
         *
         * @param inLoss false unless set, as in TRL, which takes it off the rewards
         * @return this builder
         */
        public Builder optKlInLoss(boolean inLoss) {
            klInLoss = inLoss;
            return this;
        }

        /**
         * Sets how far a token's probability may go from what it was.
         *
         * @param range 0.2 unless set
         * @return this builder
         */
        public Builder optClipRange(double range) {
            clipRange = range;
            return this;
        }

        /**
         * Sets what the value loss is multiplied by.
         *
         * @param weight 0.1 unless set
         * @return this builder
         */
        public Builder optValueCoef(double weight) {
            valueCoef = weight;
            return this;
        }

        /**
         * Sets how far a value may go from what it was.
         *
         * @param range 0.2 unless set
         * @return this builder
         */
        public Builder optValueClipRange(double range) {
            valueClipRange = range;
            return this;
        }

        /**
         * Sets how much a reward counts that comes a token later.
         *
         * @param discount γ, 1 unless set
         * @return this builder
         */
        public Builder optGamma(double discount) {
            gamma = discount;
            return this;
        }

        /**
         * Sets how far advantages look ahead.
         *
         * @param decay λ, 0.95 unless set
         * @return this builder
         */
        public Builder optLambda(double decay) {
            lambda = decay;
            return this;
        }

        /**
         * Sets whether the rewards of a step's tokens are brought to variance 1 first.
         *
         * @param whiten false unless set
         * @return this builder
         */
        public Builder optWhitenRewards(boolean whiten) {
            whitenRewards = whiten;
            return this;
        }

        /**
         * Sets what is taken off the score of an answer that did not end, but was cut.
         *
         * @param penalty nothing unless set; 0 at least
         * @return this builder
         */
        public Builder optMissingEosPenalty(double penalty) {
            missingEosPenalty = penalty;
            return this;
        }

        /**
         * Lets the reference follow the policy. "Is DPO Superior to PPO for LLM Alignment?"
         * (arXiv:2404.10719) finds that it helps.
         *
         * @param following how; never unless set
         * @return this builder
         */
        public Builder optSync(ReferenceSync following) {
            sync = following;
            return this;
        }

        /**
         * Builds the settings.
         *
         * @return the settings
         * @throws IllegalArgumentException if a number is out of its range, or settings contradict
         */
        public PpoConfig build() {
            Preconditions.checkArgument(
                    generation.samples(),
                    "expected a temperature above 0 to sample answers at, found "
                            + generation.temperature());
            requireAtLeastOne("num_ppo_epochs", epochs);
            requireAtLeastOne("num_mini_batches", miniBatches);
            requireNotNegative("kl_coef", klCoef);
            requireNotNegative("vf_coef", valueCoef);
            requirePositive("cliprange", clipRange);
            requirePositive("cliprange_value", valueClipRange);
            if (missingEosPenalty != null) {
                requireNotNegative("missing_eos_penalty", missingEosPenalty);
            }
            Preconditions.checkArgument(
                    !klInLoss || klEstimator == KlEstimator.K3,
                    "expected the estimator k3 where the divergence is in the loss, found "
                            + klEstimator.trlName()
                            + ", whose slope holds the policy to nothing on average");
            return new PpoConfig(this);
        }

        private static void requireAtLeastOne(String name, int value) {
            Preconditions.checkArgument(
                    value > 0, "expected a " + name + " of 1 at least, found " + value);
        }

        private static void requireNotNegative(String name, double value) {
            Preconditions.checkArgument(
                    value >= 0 && Double.isFinite(value),
                    "expected a " + name + " of 0 at least, found " + value);
        }

        private static void requirePositive(String name, double value) {
            Preconditions.checkArgument(
                    value > 0 && Double.isFinite(value),
                    "expected a " + name + " above 0, found " + value);
        }
    }
}
