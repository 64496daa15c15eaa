package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptableLinear;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The gated feed-forward network SwiGLU (Shazeer, arXiv:2002.05202): down(silu(gate) * up). */
final class GatedFeedForward extends FeedForward {

    private final Projections gateUp;
    private final AdaptableLinear down;

    GatedFeedForward(Architecture architecture, LayerShape shape) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        int width = shape.ffnWidth();
        boolean bias = architecture.biases().feedForward();
        gateUp = new Projections(names.gateUp(), hidden, bias, width, width);
        gateUp.layers().forEach(this::addChildBlock);
        down =
                addChildBlock(
                        names.down(),
                        AdaptableLinear.builder().setFeatures(width, hidden).optBias(bias).build());
    }

    @Override
    Stage stage(RmsNorm norm) {
        return LayerStage.feedForward(
                norm.weight(), gateUp.group(), LinearGroup.of(List.of(down)), norm.epsilonValue());
    }

    /** Describes the network as an expert. */
    MixtureStage.Expert expert() {
        return new MixtureStage.Expert(gateUp.group(), LinearGroup.of(List.of(down)));
    }

    @Override
    NDArray apply(NDManager owner, NDArray x, Weights weights, @Nullable Routing routing) {
        try (NDManager scope = owner.newSubManager()) {
            NDList both = gateUp.apply(scope, x, weights);
            NDArray gated = Kernels.DECODER.call(scope, "swiglu", both.get(0), both.get(1));
            NDArray result = weights.linear(down, gated);
            result.attach(owner);
            return result;
        }
    }
}
