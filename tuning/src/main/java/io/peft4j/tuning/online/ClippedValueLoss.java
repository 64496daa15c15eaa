package io.peft4j.tuning.online;

/**
 * PPO's clipped value loss: ½ max((v − R)², (clip(v, v₀ − c, v₀ + c) − R)²), where v₀ is the value
 * before the first update.
 *
 * @param range c
 */
record ClippedValueLoss(double range) {

    /**
     * Computes the loss of a token, with its slope by v.
     *
     * @param value v
     * @param before v₀
     * @param wanted R
     */
    TokenLoss of(double value, double before, double wanted) {
        double near = Math.min(Math.max(value, before - range), before + range);
        double free = (value - wanted) * (value - wanted);
        double held = (near - wanted) * (near - wanted);
        return held > free
                ? new TokenLoss(held / 2, 0, true)
                : new TokenLoss(free / 2, value - wanted, false);
    }
}
