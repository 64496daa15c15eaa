package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Effective weights written over base weights, and the originals that undo it. Each effective
 * weight is computed in float32 from the original and rounded once.
 */
final class Merge {

    private final ActiveSet active;
    private final IdentityHashMap<Parameter, NDArray> originals = new IdentityHashMap<>();
    private final List<MergeReport.SiteChange> changes = new ArrayList<>();

    private Merge(ActiveSet active) {
        this.active = active;
    }

    /** Merges and keeps the originals; all weights are as before if one cannot be merged. */
    static Merge keeping(ActiveSet active, BaseModel base) {
        requireUntied(active, base);
        Merge merge = new Merge(active);
        try (GradMode off = GradMode.disabled()) {
            for (List<Attachment> together : active.all()) {
                NDArray weight = together.get(0).weight().array();
                NDArray original = Tensors.clone(weight.getManager(), weight);
                merge.originals.put(together.get(0).weight().parameter(), original);
                merge.changes.add(write(together, true));
            }
            return merge;
        } catch (RuntimeException | Error e) {
            merge.undo();
            throw e;
        }
    }

    /**
     * Merges for good, without a copy of any weight: a first pass makes sure that all can be
     * merged. What still goes wrong then, such as memory that has run out meanwhile, cannot be
     * undone, and is said.
     */
    static MergeReport forGood(ActiveSet active, BaseModel base) {
        requireUntied(active, base);
        List<MergeReport.SiteChange> changes = new ArrayList<>();
        try (GradMode off = GradMode.disabled()) {
            active.all().forEach(together -> write(together, false));
            for (List<Attachment> together : active.all()) {
                try {
                    changes.add(write(together, true));
                } catch (RuntimeException | Error e) {
                    if (changes.isEmpty()) {
                        throw e;
                    }
                    throw halfMerged(together, changes, e);
                }
            }
        }
        return new MergeReport(changes);
    }

    private static IllegalStateException halfMerged(
            List<Attachment> failed, List<MergeReport.SiteChange> changes, Throwable cause) {
        return new IllegalStateException(
                "merging for good failed at "
                        + failed.get(0).path()
                        + ", after these weights were changed: "
                        + changes.stream().map(MergeReport.SiteChange::path).toList()
                        + "; load the base model again",
                cause);
    }

    /** Ties are those of now: a head may have been untied since the adapter was added. */
    private static void requireUntied(ActiveSet active, BaseModel base) {
        for (List<Attachment> together : active.all()) {
            for (Attachment attachment : together) {
                List<String> ties = base.ties().of(attachment.weight());
                if (!ties.isEmpty() && !attachment.reachesTies()) {
                    throw new TiedWeightException(attachment.path(), ties);
                }
            }
        }
    }

    /** Computes the effective weight and, if asked, writes it; throws if it is not finite. */
    private static MergeReport.SiteChange write(List<Attachment> together, boolean write) {
        BaseWeight base = together.get(0).weight();
        WeightChange change = inPlace(together, write);
        if (change == null) {
            change = whole(together, write);
        }
        if (!change.finite()) {
            throw new NonFiniteMergeException(base.site().path());
        }
        return new MergeReport.SiteChange(base.site().path(), change.largest(), change.relative());
    }

    private static @Nullable WeightChange inPlace(List<Attachment> together, boolean write) {
        Attachment only = together.get(0);
        Site site = only.weight().site();
        if (together.size() > 1 || site.kind() != Site.Kind.LINEAR || site.transposed()) {
            return null;
        }
        NDArray weight = only.weight().array();
        try (NDManager scope = weight.getManager().newSubManager()) {
            NDArray matrix = only.weight().matrix(scope, weight);
            return only.state().mergeInto(matrix, new ParameterStore(scope, false), write);
        }
    }

    private static WeightChange whole(List<Attachment> together, boolean write) {
        BaseWeight base = together.get(0).weight();
        NDArray weight = base.array();
        try (NDManager scope = weight.getManager().newSubManager()) {
            ParameterStore store = new ParameterStore(scope, false);
            NDArray before = base.float32(scope);
            NDArray after = AdaptedStore.sum(together, before, store, scope, false);
            NDArray change = after.sub(before);
            double norm = change.norm().getFloat();
            if (!Double.isFinite(norm)) {
                return new WeightChange(norm, norm, norm, false);
            }
            double largest = change.abs().max().getFloat();
            double whole = before.norm().getFloat();
            if (write) {
                Tensors.copy(after, weight);
            }
            return new WeightChange(largest, norm, whole, true);
        }
    }

    ActiveSet active() {
        return active;
    }

    MergeReport report() {
        return new MergeReport(changes);
    }

    /** A parameter's values as they were before. */
    NDArray originalOf(Parameter parameter) {
        NDArray original = originals.get(parameter);
        return original == null ? parameter.getArray() : original;
    }

    /** Puts the originals back, bit for bit, and frees them. */
    void undo() {
        try (GradMode off = GradMode.disabled()) {
            originals.forEach((parameter, kept) -> Tensors.copy(kept, parameter.getArray()));
        }
        originals.values().forEach(NDArray::close);
        originals.clear();
    }

    /** Bytes of the kept originals. */
    long keptBytes() {
        long bytes = 0;
        for (NDArray original : originals.values()) {
            DataType type = original.getDataType();
            // bfloat16 is unknown to DJL
            int width = type == DataType.UNKNOWN ? 2 : type.getNumOfBytes();
            bytes += original.size() * width;
        }
        return bytes;
    }
}
