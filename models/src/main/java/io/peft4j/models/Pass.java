package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.training.ParameterStore;
import org.jspecify.annotations.Nullable;

/**
 * What all layers of one forward pass share.
 *
 * @param weights how parameters are read
 * @param cos the cosines of at least as many positions as there are tokens, (positions, D/2)
 * @param sin their sines
 * @param mask (B, S, S), added to the attention scores; null for causal attention to all tokens
 * @param cache the keys and values of earlier tokens, to which this pass adds its own; null for
 *     none
 */
record Pass(
        Weights weights,
        NDArray cos,
        NDArray sin,
        @Nullable NDArray mask,
        @Nullable KeyValueCache cache) {

    /** Reads the inputs of a layer that is used on its own: x, cos, sin and optionally a mask. */
    static Pass of(ParameterStore store, NDList inputs, boolean training) {
        if (inputs.size() != 3 && inputs.size() != 4) {
            throw new IllegalArgumentException(
                    "expected x, cos, sin and optionally a mask, found "
                            + inputs.size()
                            + " inputs");
        }
        return new Pass(
                new Weights(store, inputs.head().getDevice(), training),
                inputs.get(1),
                inputs.get(2),
                inputs.size() == 4 ? inputs.get(3) : null,
                null);
    }
}
