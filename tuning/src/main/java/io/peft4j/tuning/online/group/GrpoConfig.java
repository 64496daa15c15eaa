package io.peft4j.tuning.online.group;

import io.peft4j.tuning.online.Rollout;
import java.util.Map;

/** The settings of {@link GrpoTrainer}, under TRL's names and with its defaults. */
public final class GrpoConfig extends GroupConfig {

    private final GrpoLossType lossType;
    private final ScaleRewards scaleRewards;
    private final boolean bySequence;
    private final boolean biasCorrected;

    private GrpoConfig(Builder builder) {
        super(builder);
        lossType = builder.lossType;
        scaleRewards = builder.scaleRewards;
        bySequence = builder.bySequence;
        biasCorrected = builder.biasCorrected;
    }

    @Override
    String kind() {
        return "grpo";
    }

    @Override
    Advantages advantages(Rollout rollout) {
        return Advantages.ofGroups(rollout.rewards(), rollout.each(), scaleRewards);
    }

    @Override
    PolicyLoss loss() {
        return new GrpoLoss(epsilon(), epsilonHigh(), beta(), bySequence, biasCorrected);
    }

    @Override
    boolean comparesBefore() {
        return false;
    }

    @Override
    boolean learnsFromEqualRewards() {
        return beta() > 0;
    }

    @Override
    double weight(int tokens, int answers, long allTokens) {
        return lossType.weight(tokens, answers, allTokens, generation().maxNewTokens());
    }

    @Override
    Map<String, String> settings() {
        Map<String, String> settings = super.settings();
        settings.put("loss_type", lossType.trlName());
        settings.put("scale_rewards", scaleRewards.trlName());
        settings.put("importance_sampling_level", bySequence ? "sequence" : "token");
        settings.put("use_bias_correction_kl", String.valueOf(biasCorrected));
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

    /** Builds a {@link GrpoConfig}. */
    public static final class Builder extends GroupConfig.Builder<Builder> {

        private GrpoLossType lossType = GrpoLossType.DAPO;
        private ScaleRewards scaleRewards = ScaleRewards.GROUP;
        private boolean bySequence;
        private boolean biasCorrected = true;

        private Builder() {
            super(8, 0);
        }

        @Override
        Builder self() {
            return this;
        }

        /**
         * Sets how tokens are weighed.
         *
         * @param type {@link GrpoLossType#DAPO} unless set
         * @return this builder
         */
        public Builder optLossType(GrpoLossType type) {
            lossType = type;
            return this;
        }

        /**
         * Sets what advantages are divided by.
         *
         * @param by {@link ScaleRewards#GROUP} unless set
         * @return this builder
         */
        public Builder optScaleRewards(ScaleRewards by) {
            scaleRewards = by;
            return this;
        }

        /**
         * Has an answer one ratio, the geometric mean of its tokens' (GSPO, Zheng et al.,
         * arXiv:2507.18071), TRL's {@code importance_sampling_level="sequence"}.
         *
         * @param together false, each token having its own, unless set
         * @return this builder
         */
        public Builder optSequenceLevel(boolean together) {
            bySequence = together;
            return this;
        }

        /**
         * Has the KL term multiplied by the ratio, which makes its gradient that of the reverse KL
         * divergence (DeepSeek-V3.2, arXiv:2512.02556), TRL's {@code use_bias_correction_kl}.
         *
         * @param corrected true unless set
         * @return this builder
         */
        public Builder optUseBiasCorrectionKl(boolean corrected) {
            biasCorrected = corrected;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range, or two contradict
         */
        public GrpoConfig build() {
            check();
            return new GrpoConfig(this);
        }
    }
}
