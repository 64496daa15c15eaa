package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.training.ParameterStore;

/** A linear layer's forward with one state, in its fast form. */
public final class StateForward {

    private StateForward() {}

    /** Returns x · Wᵀ + update + b, x (…, in). */
    public static NDArray linear(
            AdapterState state,
            NDArray x,
            NDArray weight,
            NDArray bias,
            ParameterStore store,
            boolean training) {
        NDArray base = x.matMul(weight.transpose());
        NDArray y = base.add(state.linearUpdate(x, base, weight, store, training));
        return bias == null ? y : y.add(bias);
    }
}
