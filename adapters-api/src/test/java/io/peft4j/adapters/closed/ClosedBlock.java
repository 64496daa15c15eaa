package io.peft4j.adapters.closed;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/** A block that a test puts into a module which opens nothing. */
public final class ClosedBlock extends AbstractBlock {

    private final String name = "closed";
    private final Linear layer = addChildBlock("layer", Linear.builder().setUnits(4).build());

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        return layer.forward(store, inputs, training);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        return layer.getOutputShapes(shapes);
    }

    @Override
    public String toString() {
        return name;
    }
}
