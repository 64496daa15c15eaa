package io.peft4j.tuning.online.ppo;

/**
 * PPO's clipped value loss: ½ max((v − R)², (clip(v, v₀ − c, v₀ + c) − R)²), where v₀ is the value
 * before the first update, and R the return.
 *
 * @param loss the loss
 * @param slope its derivative by v
 * @param clipped whether the clipped form is the larger, so that the slope is 0
 */
record ClippedValue(double loss, double slope, boolean clipped) {

    static ClippedValue of(double value, double before, double wanted, double range) {
        double near = Math.min(Math.max(value, before - range), before + range);
        double free = (value - wanted) * (value - wanted);
        double held = (near - wanted) * (near - wanted);
        return held > free
                ? new ClippedValue(held / 2, 0, true)
                : new ClippedValue(free / 2, value - wanted, false);
    }
}
