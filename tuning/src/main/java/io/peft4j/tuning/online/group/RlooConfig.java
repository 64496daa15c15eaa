package io.peft4j.tuning.online.group;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Rollout;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The settings of {@link RlooTrainer}, under TRL's names and with its defaults. */
public final class RlooConfig extends GroupConfig {

    private final boolean normalizeAdvantages;
    private final @Nullable Range clip;

    /** The least and the greatest reward. */
    private record Range(double from, double to) {

        double clip(double reward) {
            return Math.max(from, Math.min(to, reward));
        }
    }

    private RlooConfig(Builder builder) {
        super(builder);
        normalizeAdvantages = builder.normalizeAdvantages;
        clip = builder.clip;
    }

    @Override
    String kind() {
        return "rloo";
    }

    /** The rewards are clipped first, then β times the KL divergence is taken off. */
    @Override
    Advantages advantages(Rollout rollout) {
        double[] rewards = rollout.rewards();
        for (int i = 0; i < rewards.length; i++) {
            if (clip != null) {
                rewards[i] = clip.clip(rewards[i]);
            }
            if (beta() > 0) {
                rewards[i] -= beta() * divergence(rollout, i);
            }
        }
        return Advantages.leaveOneOut(rewards, rollout.each(), normalizeAdvantages);
    }

    /** The log-ratio of policy and reference, which is the KL divergence in the mean (k1). */
    private double divergence(Rollout rollout, int answer) {
        return isLearned(rollout.completions().get(answer))
                ? rollout.policy().orElseThrow().sum(answer)
                        - rollout.reference().orElseThrow().sum(answer)
                : 0;
    }

    @Override
    Map<String, Double> metrics(Rollout rollout) {
        if (beta() == 0) {
            return Map.of();
        }
        double sum = 0;
        long tokens = 0;
        for (int i = 0; i < rollout.completions().size(); i++) {
            Completion one = rollout.completions().get(i);
            sum += divergence(rollout, i);
            tokens += isLearned(one) ? one.ids().length : 0;
        }
        return Map.of("kl", sum / Math.max(1, tokens));
    }

    @Override
    PolicyLoss loss() {
        return new RlooLoss(epsilon(), epsilonHigh());
    }

    @Override
    boolean comparesBefore() {
        return beta() > 0;
    }

    @Override
    boolean learnsFromEqualRewards() {
        return false;
    }

    @Override
    double weight(int tokens, int answers, long allTokens) {
        return 1.0 / answers;
    }

    @Override
    Map<String, String> settings() {
        Map<String, String> settings = super.settings();
        settings.put("normalize_advantages", String.valueOf(normalizeAdvantages));
        if (clip != null) {
            settings.put("reward_clip_range", clip.from() + " " + clip.to());
        }
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

    /** Builds a {@link RlooConfig}. */
    public static final class Builder extends GroupConfig.Builder<Builder> {

        private boolean normalizeAdvantages;
        private @Nullable Range clip;

        private Builder() {
            super(2, 0.05);
        }

        @Override
        Builder self() {
            return this;
        }

        /**
         * Has the advantages of a step's answers made to have mean 0 and standard deviation 1.
         *
         * @param normalized false unless set
         * @return this builder
         */
        public Builder optNormalizeAdvantages(boolean normalized) {
            normalizeAdvantages = normalized;
            return this;
        }

        /**
         * Sets the least and the greatest reward that counts; those beyond count as these.
         *
         * @param from the least; there is none unless set
         * @param to the greatest
         * @return this builder
         */
        public Builder optRewardClipRange(double from, double to) {
            clip = new Range(from, to);
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range, or two contradict
         */
        public RlooConfig build() {
            check();
            Preconditions.checkArgument(
                    clip == null || clip.from() < clip.to(),
                    "expected a range of rewards from less to more, found " + clip);
            return new RlooConfig(this);
        }
    }
}
