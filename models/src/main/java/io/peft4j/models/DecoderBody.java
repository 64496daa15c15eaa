package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.AdaptableEmbedding;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Embeddings, layers and the last norm: ids (B, S) to hidden states (B, S, H). */
final class DecoderBody extends NamedBlock {

    private final AdaptableEmbedding embeddings;
    private final LayerStack layers;
    private final RmsNorm norm;

    DecoderBody(Architecture architecture) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        embeddings =
                addChildBlock(
                        names.embeddings(),
                        new AdaptableEmbedding(
                                architecture.vocabularySize(),
                                hidden,
                                architecture.tiedHead() ? List.of(names.head()) : List.of()));
        layers = addChildBlock(names.layers(), new LayerStack(architecture));
        norm = addChildBlock(names.norm(), new RmsNorm(hidden, architecture.normEpsilon()));
    }

    AdaptableEmbedding embeddings() {
        return embeddings;
    }

    LayerStack layers() {
        return layers;
    }

    RmsNorm norm() {
        return norm;
    }

    NDArray apply(NDManager owner, NDArray ids, Pass pass) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray embedded = pass.weights().rows(scope, embeddings, ids);
            NDArray h = layers.apply(scope, embedded, pass);
            return norm.apply(owner, h, pass.weights());
        }
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray ids = inputs.head();
        return new NDList(apply(ids.getManager(), ids, Pass.of(parameterStore, inputs, training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return embeddings.getOutputShapes(inputShapes);
    }
}
