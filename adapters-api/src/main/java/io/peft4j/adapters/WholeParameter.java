package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import java.util.Map;

/** An adapter's own copy of a base parameter, which replaces it. */
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
                        .optRequiresGrad(
                                base.getType() != Parameter.Type.RUNNING_MEAN
                                        && base.getType() != Parameter.Type.RUNNING_VAR)
                        .optInitializer((m, s, type) -> Tensors.clone(m, base.getArray()))
                        .build();
        copy.initialize(owner, DataType.FLOAT32);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of(key, copy);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        NDArray own = store.getValue(copy, weight.getDevice(), training);
        NDArray view = own.reshape(own.getShape());
        view.attach(weight.getManager());
        return view;
    }

    @Override
    public void close() {
        copy.close();
    }
}
