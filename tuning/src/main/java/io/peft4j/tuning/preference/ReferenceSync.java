package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;

/**
 * How a reference follows the policy (TR-DPO, Gorbatovski et al., arXiv:2404.09656): every few
 * steps \(\theta_{ref} \leftarrow \alpha \theta + (1 - \alpha) \theta_{ref}\), over the adapter's
 * parameters alone. Note that α weighs the policy, as in TRL; elsewhere it weighs the old
 * reference.
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
