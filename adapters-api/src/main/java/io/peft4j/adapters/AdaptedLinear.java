package io.peft4j.adapters;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import io.peft4j.torch.BFloat16;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Takes the place of a {@link Linear} in a block tree and asks for its adapters' fast form. The
 * parameters stay the replaced layer's own, so that names, files and training see no difference;
 * without adapters it does exactly what the layer does.
 */
final class AdaptedLinear extends Linear {

    private final Linear base;

    AdaptedLinear(Linear base) {
        super(sameAs(base.getDirectParameters()));
        this.base = base;
        parameters.clear();
        for (Pair<String, Parameter> parameter : base.getDirectParameters()) {
            parameters.put(parameter.getKey(), parameter.getValue());
        }
    }

    private static Linear.Builder sameAs(ParameterList parameters) {
        Parameter weight = Objects.requireNonNull(parameters.get("weight"));
        return Linear.builder()
                .setUnits(weight.getShape().get(0))
                .optBias(parameters.contains("bias"));
    }

    Linear base() {
        return base;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        if (store instanceof AdaptedStore adapted) {
            Parameter weight = Objects.requireNonNull(parameters.get("weight"));
            NDArray x = inputs.singletonOrThrow();
            return new NDList(adapted.linear(weight, weight, parameters.get("bias"), x, training));
        }
        return base.forward(store, inputs, training, params);
    }

    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... shapes) {
        BFloat16.requireUsable("a block's initialize", dataType);
        base.initialize(manager, dataType, shapes);
    }

    @Override
    public boolean isInitialized() {
        return base.isInitialized();
    }

    @Override
    public Shape[] getInputShapes() {
        return base.getInputShapes();
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return base.getOutputShapes(inputs);
    }

    @Override
    public PairList<String, Shape> describeInput() {
        return base.describeInput();
    }

    @Override
    public void saveParameters(DataOutputStream out) throws IOException {
        BFloat16.requireNone("a block's saveParameters", base.getParameters());
        base.saveParameters(out);
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream in)
            throws IOException, MalformedModelException {
        base.loadParameters(manager, in);
    }
}
