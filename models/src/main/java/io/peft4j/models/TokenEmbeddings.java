package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** The token embeddings, (V, H): ids (B, S) to (B, S, H). */
final class TokenEmbeddings extends NamedBlock {

    private final Parameter weight;
    private final int hiddenSize;

    TokenEmbeddings(int vocabularySize, int hiddenSize) {
        this.hiddenSize = hiddenSize;
        weight = addWeight(Parameter.Type.WEIGHT, vocabularySize, hiddenSize);
    }

    Parameter weight() {
        return weight;
    }

    NDArray apply(NDManager owner, NDArray ids, Weights weights) {
        return Kernels.DECODER.call(owner, "embed", ids, weights.value(weight));
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray ids = inputs.singletonOrThrow();
        Weights weights = new Weights(parameterStore, ids.getDevice(), training);
        return new NDList(apply(ids.getManager(), ids, weights));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0].add(hiddenSize)};
    }
}
