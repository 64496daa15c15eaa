package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** What follows the attention in a layer: x (B, S, H) gives (B, S, H), each token by itself. */
abstract class FeedForward extends NamedBlock {

    static FeedForward of(Architecture architecture, LayerShape shape) {
        Experts experts = architecture.experts();
        return experts == null
                ? new GatedFeedForward(architecture, shape)
                : new MixtureOfExperts(architecture, shape, experts);
    }

    /** Describes the network and the norm before it; null if it is left to autograd. */
    @Nullable Stage stage(RmsNorm norm) {
        return null;
    }

    /**
     * Computes the result.
     *
     * @param owner owns the result
     * @param x (B, S, H)
     * @param weights how parameters are read
     * @param routing which tokens go to experts, if there are any, and takes the router's scores;
     *     null if all do and nobody wants to know
     */
    abstract NDArray apply(NDManager owner, NDArray x, Weights weights, @Nullable Routing routing);

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = inputs.singletonOrThrow();
        Weights weights = new Weights(parameterStore, x.getDevice(), training);
        return new NDList(apply(x.getManager(), x, weights, null));
    }
}
