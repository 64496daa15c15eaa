package io.peft4j.tuning.online;

/**
 * The objective of proximal policy optimisation with its sign turned (Schulman et al.,
 * arXiv:1707.06347): −min(ρ A, clip(ρ, 1 − ε, 1 + ε′) A), which has no slope where the probability
 * has moved far enough in the direction that A says.
 *
 * @param value the loss
 * @param slope its derivative by log ρ
 * @param low whether ρ has fallen far enough
 * @param high whether it has risen far enough
 */
public record ClippedRatio(double value, double slope, boolean low, boolean high) {

    /**
     * Computes the objective.
     *
     * @param ratio ρ, the probability now by that of the sampling
     * @param advantage A
     * @param epsilon ε, how far the ratio counts below 1
     * @param epsilonHigh ε′, how far it counts above 1
     * @return the loss with its slope
     */
    public static ClippedRatio of(
            double ratio, double advantage, double epsilon, double epsilonHigh) {
        double clipped = Math.max(1 - epsilon, Math.min(1 + epsilonHigh, ratio));
        boolean low = ratio < 1 - epsilon && advantage < 0;
        boolean high = ratio > 1 + epsilonHigh && advantage > 0;
        return new ClippedRatio(
                -Math.min(ratio * advantage, clipped * advantage),
                low || high ? 0 : -ratio * advantage,
                low,
                high);
    }
}
