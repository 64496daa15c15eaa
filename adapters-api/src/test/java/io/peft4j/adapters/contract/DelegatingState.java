package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import java.util.Map;

/** A state that does what another one does, except for what is overridden. */
class DelegatingState implements AdapterState {

    private final AdapterState good;

    DelegatingState(AdapterState good) {
        this.good = good;
    }

    @Override
    public Map<String, Parameter> parameters() {
        return good.parameters();
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        return good.effectiveWeight(weight, store, training);
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return good.linearUpdate(x, base, weight, store, training);
    }

    @Override
    public boolean changesBias() {
        return good.changesBias();
    }

    @Override
    public boolean composes() {
        return good.composes();
    }

    @Override
    public double dropout() {
        return good.dropout();
    }

    @Override
    public void close() {
        good.close();
    }
}
