package io.peft4j.dora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.TorchValue;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The norms \(\lVert W + s B A \rVert\) per row, kept until W, A or B is written to: all passes of
 * an optimizer step, and all tokens of a generation, need them once. libtorch counts the writes to
 * a tensor.
 *
 * <p>New norms are a new array, since a graph for backward may have kept the old one.
 */
final class RowNorms implements AutoCloseable {

    private final NDManager owner;
    private final NDArray squaredNorm;
    private final NDArray scale;
    private @Nullable NDArray norms;
    private long[] versions = {};
    private List<NDArray> sources = List.of();
    private @Nullable TorchValue sourceList;

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
     * @param weight W (out, in)
     * @param factors A and B themselves
     */
    synchronized NDArray of(NDArray weight, NDList factors) {
        long[] now = versions(weight, factors);
        if (norms == null || !Arrays.equals(now, versions)) {
            forget();
            try (GradMode off = GradMode.disabled()) {
                norms =
                        DoraState.KERNELS.call(
                                owner,
                                "row_norm",
                                weight,
                                squaredNorm,
                                factors.get(0),
                                factors.get(1),
                                scale);
            }
            versions = now;
        }
        return norms;
    }

    private long[] versions(NDArray weight, NDList factors) {
        TorchValue list = sourceList;
        if (list == null
                || weight != sources.get(0)
                || factors.get(0) != sources.get(1)
                || factors.get(1) != sources.get(2)) {
            close();
            sources = List.of(weight, factors.get(0), factors.get(1));
            list = TorchValue.of(sources);
            sourceList = list;
        }
        try (TorchValue counts = DoraState.KERNELS.infer("versions", list)) {
            return counts.longs();
        }
    }

    /** Has the norms computed again when they are next asked for. */
    synchronized void forget() {
        if (norms != null) {
            norms.close();
            norms = null;
        }
    }

    @Override
    public synchronized void close() {
        forget();
        sources = List.of();
        if (sourceList != null) {
            sourceList.close();
            sourceList = null;
        }
    }
}
