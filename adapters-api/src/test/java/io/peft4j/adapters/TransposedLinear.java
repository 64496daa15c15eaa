package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/** A linear layer with its weight stored (in, out), as transformers' Conv1D. */
public final class TransposedLinear extends AbstractBlock {

    private final Parameter weight;
    private final Parameter bias;
    private final long out;

    public TransposedLinear(long in, long out) {
        this.out = out;
        weight = addParameter(parameter("weight", Parameter.Type.WEIGHT, new Shape(in, out)));
        bias = addParameter(parameter("bias", Parameter.Type.BIAS, new Shape(out)));
    }

    private static Parameter parameter(String name, Parameter.Type type, Shape shape) {
        return Parameter.builder().setName(name).setType(type).optShape(shape).build();
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        NDArray x = inputs.singletonOrThrow();
        NDArray w = store.getValue(weight, x.getDevice(), training);
        return new NDList(x.matMul(w).add(store.getValue(bias, x.getDevice(), training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        Shape shape = shapes[0];
        return new Shape[] {shape.slice(0, shape.dimension() - 1).add(out)};
    }
}
