package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/** An adapter's state at one site, and the original weight while it is merged. */
final class Attachment {

    private final Site site;
    private final AdaptableLinear linear;
    private final AdapterState state;
    private @Nullable NDArray original;

    Attachment(Site site, AdaptableLinear linear, AdapterState state) {
        this.site = site;
        this.linear = linear;
        this.state = state;
    }

    Site site() {
        return site;
    }

    AdaptableLinear linear() {
        return linear;
    }

    AdapterState state() {
        return state;
    }

    /** Writes the effective weight over the base weight, or throws and leaves it. */
    MergeReport.SiteChange merge() {
        NDArray weight = linear.weight().getArray();
        NDArray kept = Tensors.clone(weight.getManager(), weight); // lives until unmerge
        try (NDManager scope = weight.getManager().newSubManager()) {
            NDArray before = Tensors.clone(scope, weight);
            NDArray effective =
                    state.effectiveWeight(before, new ParameterStore(scope, false), false);
            NDArray change = effective.sub(before);
            double norm = change.norm().getFloat();
            if (!Double.isFinite(norm)) {
                throw new NonFiniteMergeException(site.path());
            }
            double largest = change.abs().max().getFloat();
            double relative = norm / Math.max(before.norm().getFloat(), Float.MIN_NORMAL);
            Tensors.copy(effective, weight);
            original = kept;
            return new MergeReport.SiteChange(site.path(), largest, relative);
        } finally {
            if (original == null) {
                kept.close();
            }
        }
    }

    void unmerge() {
        if (original != null) {
            Tensors.copy(original, linear.weight().getArray());
            original.close();
            original = null;
        }
    }
}
