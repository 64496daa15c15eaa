package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.AdaptableLinear;
import org.jspecify.annotations.Nullable;

/** The gated feed-forward network SwiGLU (Shazeer, arXiv:2002.05202): down(silu(gate) * up). */
final class FeedForward extends NamedBlock {

    private final AdaptableLinear gateUp;
    private final AdaptableLinear down;

    FeedForward(Architecture architecture, LayerShape shape) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        int width = shape.ffnWidth();
        gateUp =
                addChildBlock(
                        names.gateUp(),
                        AdaptableLinear.builder().setFeatures(hidden, 2L * width).build());
        down =
                addChildBlock(
                        names.down(), AdaptableLinear.builder().setFeatures(width, hidden).build());
    }

    NDArray apply(NDManager owner, NDArray x, Weights weights) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray both = weights.linear(gateUp, x);
            both.attach(scope);
            NDArray gated = Kernels.DECODER.call(scope, "swiglu", both);
            NDArray result = weights.linear(down, gated);
            result.attach(owner);
            return result;
        }
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = inputs.singletonOrThrow();
        Weights weights = new Weights(parameterStore, x.getDevice(), training);
        return new NDList(apply(x.getManager(), x, weights));
    }
}
