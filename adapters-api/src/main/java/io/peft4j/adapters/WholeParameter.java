package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import java.util.Map;

/** An adapter's own copy of a base parameter, float32, which replaces it. */
final class WholeParameter implements AdapterState {

    private final String key;
    private final Parameter copy;

    /**
     * Copies a base parameter.
     *
     * @param key PEFT's key of the copy below its prefix
     * @param base the base parameter
     * @param owner the manager of the copy
     */
    WholeParameter(String key, Parameter base, NDManager owner) {
        this.key = key;
        copy =
                Parameter.builder()
                        .setName(base.getName())
                        .setType(base.getType())
                        .optShape(base.getArray().getShape())
                        .optRequiresGrad(!TorchNames.isStatistic(base))
                        .optInitializer((m, shape, type) -> float32(m, base.getArray()))
                        .build();
        copy.initialize(owner, DataType.FLOAT32);
    }

    private static NDArray float32(NDManager owner, NDArray values) {
        NDArray wide = owner.create(values.getShape(), DataType.FLOAT32);
        Tensors.copy(values, wide);
        return wide;
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of(key, copy);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        NDArray own = store.getValue(copy, weight.getDevice(), training);
        NDArray view = own.reshape(own.getShape()); // not a clone: statistics are written into it
        view.attach(weight.getManager());
        return view;
    }

    @Override
    public Map<String, String> tiedKeys() {
        return Map.of(key, key);
    }

    @Override
    public void close() {
        copy.close();
    }
}
