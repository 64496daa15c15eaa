package io.peft4j.dora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchValue;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The norms \(\lVert W + s B A \rVert\) per row, kept until W, A or B is written to or becomes
 * another array: all passes of an optimizer step, and all tokens of a generation, need them once.
 * libtorch counts the writes to a tensor and its views together.
 *
 * <p>New norms are a new array, since a graph for backward may have kept the old one. The old one
 * is freed when it is replaced in its turn: another thread that has just asked may still read it.
 */
final class RowNorms implements AutoCloseable {

    private final NDManager owner;
    private final NDArray squaredNorm;
    private final NDArray scale;
    private @Nullable NDArray norms;
    private @Nullable NDArray replaced;
    private long[] versions = {};
    private List<NDArray> sources = List.of();
    private @Nullable TorchValue kept;

    /**
     * Keeps nothing yet.
     *
     * @param owner owns the norms
     * @param squaredNorm ‖W‖² per row (out), which is computed anew with a W that was written to
     * @param scale s
     */
    RowNorms(NDManager owner, NDArray squaredNorm, NDArray scale) {
        this.owner = owner;
        this.squaredNorm = squaredNorm;
        this.scale = scale;
    }

    /** Tells whether the norms are those of the weights on a device. */
    boolean isHome(Device device) {
        return device.equals(squaredNorm.getDevice());
    }

    /**
     * Returns the norms (out), float32; they stay here.
     *
     * @param weight W (out, in), or a view of it
     * @param factors A and B themselves
     */
    synchronized NDArray of(NDArray weight, NDList factors) {
        List<NDArray> now = List.of(weight, factors.get(0), factors.get(1));
        long[] counts = versions(now);
        NDArray known = norms;
        if (known != null && Arrays.equals(counts, versions)) {
            return known;
        }
        try (GradMode off = GradMode.disabled()) {
            if (versions.length > 0 && (counts.length == 0 || counts[0] != versions[0])) {
                squareAgain(weight);
            }
            known =
                    DoraState.KERNELS.call(
                            owner, "row_norm", weight, squaredNorm, now.get(1), now.get(2), scale);
        }
        forget();
        norms = known;
        if (counts.length == 0) {
            keep(now);
            counts = versions(now);
        }
        versions = counts;
        return known;
    }

    /**
     * Returns how often the tensors were written to; nothing if they are others than those kept.
     */
    private long[] versions(List<NDArray> now) {
        TorchValue known = kept;
        if (known == null) {
            return new long[0];
        }
        if (isSame(now)) {
            try (TorchValue counts = DoraState.KERNELS.infer("versions", known)) {
                return counts.longs();
            }
        }
        try (TorchValue others = TorchValue.of(now);
                TorchValue counts = DoraState.KERNELS.infer("versions_of_same", known, others)) {
            return counts.longs();
        }
    }

    private boolean isSame(List<NDArray> now) {
        for (int i = 0; i < now.size(); i++) {
            if (now.get(i) != sources.get(i)) {
                return false;
            }
        }
        return true;
    }

    private void keep(List<NDArray> now) {
        letGo();
        sources = now;
        kept = TorchValue.of(now);
    }

    private void letGo() {
        sources = List.of();
        if (kept != null) {
            kept.close();
            kept = null;
        }
    }

    private void squareAgain(NDArray weight) {
        try (NDArray squares = DoraState.KERNELS.call(owner, "squared_row_norm", weight)) {
            Tensors.copy(squares, squaredNorm);
        }
    }

    /** Has the norms computed again when they are next asked for. */
    synchronized void forget() {
        if (norms != null) {
            if (replaced != null) {
                replaced.close();
            }
            replaced = norms;
            norms = null;
        }
    }

    @Override
    public synchronized void close() {
        forget();
        if (replaced != null) {
            replaced.close();
            replaced = null;
        }
        letGo();
    }
}
