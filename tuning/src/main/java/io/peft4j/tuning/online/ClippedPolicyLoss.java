package io.peft4j.tuning.online;

/**
 * PPO's clipped surrogate (Schulman et al., arXiv:1707.06347): max(−A ρ, −A clip(ρ, 1 − c, 1 + c)),
 * where ρ is the probability of the token over that when it was sampled.
 *
 * @param range c
 */
record ClippedPolicyLoss(double range) {

    /**
     * Computes the loss of a token, with its slope by log π.
     *
     * @param advantage A
     * @param logRatio log ρ
     */
    TokenLoss of(double advantage, double logRatio) {
        double ratio = Math.exp(logRatio);
        double free = -advantage * ratio;
        double held = -advantage * Math.min(Math.max(ratio, 1 - range), 1 + range);
        return held > free
                ? new TokenLoss(held, 0, true)
                : new TokenLoss(free, -advantage * ratio, false);
    }
}
