package io.peft4j.torchscript;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/** A hosted encoder and a new head on what it returns second, named as in transformers. */
final class HostedClassifierBlock extends AbstractBlock {

    private final Block bert;
    private final Block classifier;
    private final long hidden;

    HostedClassifierBlock(Block bert, long hidden, long classes) {
        super((byte) 1);
        this.hidden = hidden;
        this.bert = addChildBlock("bert", bert);
        classifier = addChildBlock("classifier", Linear.builder().setUnits(classes).build());
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            PairList<String, Object> params) {
        NDList states = bert.forward(store, inputs, training);
        return classifier.forward(store, new NDList(states.get(1)), training);
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
        classifier.initialize(manager, type, new Shape(1, hidden));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return classifier.getOutputShapes(new Shape[] {new Shape(inputs[0].get(0), hidden)});
    }
}
