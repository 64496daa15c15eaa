package io.peft4j.adapters;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;
import java.util.function.Function;

/** A user's block that keeps its layers in some way of its own, and calls what it finds there. */
class KeptBlock<T> extends AbstractBlock {

    static final int WIDTH = 4;

    private final T kept;
    private final Function<T, List<Block>> steps;

    KeptBlock(T kept, Function<T, List<Block>> steps, Block... children) {
        this.kept = kept;
        this.steps = steps;
        for (int i = 0; i < children.length; i++) {
            addChildBlock("layer" + i, children[i]);
        }
    }

    static Linear linear() {
        return Linear.builder().setUnits(WIDTH).build();
    }

    T kept() {
        return kept;
    }

    /** The blocks that forward calls. */
    List<Block> steps() {
        return steps.apply(kept);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        NDList x = inputs;
        for (Block step : steps()) {
            x = step.forward(store, x, training);
        }
        return x;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
        children.values().forEach(child -> child.initialize(manager, type, shapes));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        return shapes;
    }
}
