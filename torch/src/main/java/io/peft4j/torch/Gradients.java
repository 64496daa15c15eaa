package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;

/**
 * Backward without DJL's gradient collector, which is one per process and one thread at a time.
 *
 * <p>Gradients are accumulated into the leaves that require one, as libtorch does.
 */
public final class Gradients {

    private Gradients() {}

    /**
     * Propagates from a scalar loss, whose upstream gradient is one.
     *
     * @param loss a tensor of one element that was computed in {@link GradMode#enabled()}
     */
    public static void backward(NDArray loss) {
        try (NDArray one = Tensors.onesLike(loss)) {
            backward(loss, one);
        }
    }

    /**
     * Propagates a vector-Jacobian product: the leaves' gradients grow by {@code upstream ·
     * ∂output}.
     *
     * @param output any tensor that was computed in {@link GradMode#enabled()}
     * @param upstream the gradient of the loss by {@code output}, of its shape and type
     */
    public static void backward(NDArray output, NDArray upstream) {
        JniUtils.backward((PtNDArray) output, (PtNDArray) upstream, false, false);
    }

    /**
     * Propagates like {@link #backward(NDArray, NDArray)} and keeps the graph, for outputs that
     * have a part of it in common: all but the last must keep it.
     *
     * @param output any tensor that was computed in {@link GradMode#enabled()}
     * @param upstream the gradient of the loss by {@code output}, of its shape and type
     */
    public static void backwardKeepingGraph(NDArray output, NDArray upstream) {
        JniUtils.backward((PtNDArray) output, (PtNDArray) upstream, true, false);
    }

    /**
     * Fills the gradient of a leaf with zeros, a NaN included.
     *
     * @param leaf a tensor that requires a gradient
     */
    public static void zero(NDArray leaf) {
        JniUtils.zeroGrad((PtNDArray) leaf);
    }
}
