package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;

/**
 * A base model of the modules {@code first} and {@code second}: one after the other with a tanh
 * between, or both on the same input and their outputs side by side.
 */
final class TwoLayers extends AbstractBlock {

    private interface Step {
        NDArray apply(ParameterStore store, NDArray x, boolean training);
    }

    private final Block first;
    private final Block second;
    private final boolean inARow;
    private final List<Step> captured;

    private TwoLayers(Block first, Block second, boolean inARow, boolean inLambdas) {
        this.first = addChildBlock("first", first);
        this.second = addChildBlock("second", second);
        this.inARow = inARow;
        captured = inLambdas ? List.of(capture(first), capture(second)) : List.of();
    }

    static TwoLayers inARow(Block first, Block second) {
        return new TwoLayers(first, second, true, false);
    }

    static TwoLayers inLambdas(Block first, Block second) {
        return new TwoLayers(first, second, true, true);
    }

    static TwoLayers sideBySide(Block first, Block second) {
        return new TwoLayers(first, second, false, false);
    }

    private static Step capture(Block block) {
        return (store, x, training) -> block.forward(store, new NDList(x), training).head();
    }

    private NDArray first(ParameterStore store, NDArray x, boolean training) {
        return captured.isEmpty()
                ? first.forward(store, new NDList(x), training).head()
                : captured.get(0).apply(store, x, training);
    }

    private NDArray second(ParameterStore store, NDArray x, boolean training) {
        return captured.isEmpty()
                ? second.forward(store, new NDList(x), training).head()
                : captured.get(1).apply(store, x, training);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        NDArray x = inputs.singletonOrThrow();
        try (NDArray hidden = first(store, x, training)) {
            if (inARow) {
                try (NDArray activated = hidden.tanh()) {
                    return new NDList(second(store, activated, training));
                }
            }
            try (NDArray other = second(store, x, training)) {
                return new NDList(NDArrays.concat(new NDList(hidden, other), -1));
            }
        }
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputs) {
        first.initialize(manager, type, inputs);
        second.initialize(manager, type, inARow ? first.getOutputShapes(inputs) : inputs);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        if (inARow) {
            return second.getOutputShapes(first.getOutputShapes(inputs));
        }
        Shape one = first.getOutputShapes(inputs)[0];
        Shape two = second.getOutputShapes(inputs)[0];
        int last = one.dimension() - 1;
        return new Shape[] {one.slice(0, last).add(one.get(last) + two.get(last))};
    }
}
