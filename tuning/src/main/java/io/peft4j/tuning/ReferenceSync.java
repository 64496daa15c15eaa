package io.peft4j.tuning;

import ai.djl.util.Preconditions;

/**
 * How a reference follows the policy: every few steps \(\theta_{ref} \leftarrow \alpha \theta + (1
 * - \alpha) \theta_{ref}\), an exponential moving average (EMA) over the adapter's parameters
 * alone, since policy and reference share the base. Low-rank factors are averaged, not their
 * products.
 *
 * <p>α weighs the policy, as in TRL and in TR-DPO (Gorbatovski et al., arXiv:2404.09656). Where the
 * EMA of a reference is advised for PPO, in "Is DPO Superior to PPO for LLM Alignment?" (Xu et al.,
 * arXiv:2404.10719), α weighs the old reference: the α of that paper is 1 − this one.
 *
 * @param mixupAlpha α, TRL's {@code ref_model_mixup_alpha}; 1 copies the policy
 * @param steps after how many optimizer steps, TRL's {@code ref_model_sync_steps}
 */
public record ReferenceSync(double mixupAlpha, int steps) {

    /** TRL's defaults: α 0.6, every 512 steps. */
    public static final ReferenceSync DEFAULT = new ReferenceSync(0.6, 512);

    /** Checks the numbers. */
    public ReferenceSync {
        Preconditions.checkArgument(
                mixupAlpha > 0 && mixupAlpha <= 1,
                "expected an alpha above 0 and at most 1, found " + mixupAlpha);
        Preconditions.checkArgument(steps > 0, "expected one step at least, found " + steps);
    }
}
