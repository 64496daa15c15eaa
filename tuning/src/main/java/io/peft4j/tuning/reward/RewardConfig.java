package io.peft4j.tuning.reward;

import ai.djl.util.Preconditions;
import java.util.Map;

/** The settings of {@link RewardTrainer}, under TRL's names and with its defaults. */
public final class RewardConfig {

    private final double centerRewardsCoefficient;

    private RewardConfig(Builder builder) {
        centerRewardsCoefficient = builder.centerRewardsCoefficient;
    }

    /**
     * Returns how strongly rewards are held around zero.
     *
     * @return the coefficient; 0 if they are not
     */
    public double centerRewardsCoefficient() {
        return centerRewardsCoefficient;
    }

    /**
     * Computes the loss of a pair.
     *
     * @param chosen the reward \(r_c\) of the better answer
     * @param rejected the reward \(r_r\) of the worse answer
     * @param margin m, by how much the first is to be the greater at least
     * @return \(-\log σ(r_c - r_r - m) + c\,(r_c + r_r)^2\) with c of {@link
     *     #centerRewardsCoefficient}, and its slopes
     */
    RewardLoss loss(double chosen, double rejected, double margin) {
        return RewardLoss.of(chosen, rejected, margin, centerRewardsCoefficient);
    }

    /** Returns what a resumed run must share. */
    Map<String, String> settings() {
        return Map.of("center_rewards_coefficient", String.valueOf(centerRewardsCoefficient));
    }

    /**
     * Creates a builder.
     *
     * @return the builder, with TRL's defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link RewardConfig}. */
    public static final class Builder {

        private double centerRewardsCoefficient;

        private Builder() {}

        /**
         * Holds rewards around zero (Eisenstein et al., arXiv:2312.09244, equation 2), which the
         * preferences alone leave undecided: only differences count in them.
         *
         * @param coefficient 0 unless set; 0.01 is what TRL recommends
         * @return this builder
         */
        public Builder optCenterRewardsCoefficient(double coefficient) {
            centerRewardsCoefficient = coefficient;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range
         */
        public RewardConfig build() {
            Preconditions.checkArgument(
                    centerRewardsCoefficient >= 0 && Double.isFinite(centerRewardsCoefficient),
                    "expected a coefficient of 0 or above for the centre of rewards, found "
                            + centerRewardsCoefficient);
            return new RewardConfig(this);
        }
    }
}
