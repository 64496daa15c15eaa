package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import org.jspecify.annotations.Nullable;

/**
 * What all layers of one forward pass share.
 *
 * @param weights how parameters are read
 * @param cos the cosines of at least as many positions as there are tokens, (positions, D/2)
 * @param sin their sines
 * @param masks what tokens may look at
 * @param cache the keys and values of earlier tokens, to which this pass adds its own; null for
 *     none
 * @param routing which tokens go to experts, and what the routers say; null if all do and nobody
 *     wants to know
 */
record Pass(
        Weights weights,
        NDArray cos,
        NDArray sin,
        AttentionMasks masks,
        @Nullable KeyValueCache cache,
        @Nullable Routing routing) {

    /**
     * Reads the inputs of a layer that is used on its own: x, cos, sin and optionally a mask (B, S,
     * S) that is added to the attention scores, in place of the layer's own window.
     */
    static Pass of(ParameterStore store, NDList inputs, boolean training) {
        if (inputs.size() != 3 && inputs.size() != 4) {
            throw new IllegalArgumentException(
                    "expected x, cos, sin and optionally a mask, found "
                            + inputs.size()
                            + " inputs");
        }
        NDArray x = inputs.head();
        NDManager owner = x.getManager();
        int columns = Math.toIntExact(x.getShape().get(1));
        return new Pass(
                new Weights(store, x.getDevice(), training),
                inputs.get(1),
                inputs.get(2),
                inputs.size() == 4
                        ? AttentionMasks.given(owner, inputs.get(3))
                        : AttentionMasks.causal(owner, columns),
                null,
                null);
    }
}
