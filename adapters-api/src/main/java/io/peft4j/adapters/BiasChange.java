package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.Map;

/**
 * What an adapter of a module's weight makes of the module's bias, see {@link
 * AdapterState#changesBias}. The parameters are those of the weight's state, and are counted, saved
 * and freed there.
 */
record BiasChange(AdapterState ofWeight) implements AdapterState {

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of();
    }

    @Override
    public NDArray effectiveWeight(NDArray bias, ParameterStore store, boolean training) {
        return ofWeight.effectiveWeight(bias, store, training);
    }

    @Override
    public boolean composes() {
        return ofWeight.composes();
    }

    @Override
    public void close() {}
}
