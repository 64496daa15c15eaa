package io.peft4j.models;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.UnsupportedDtypeException;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * A block whose parameters have their shapes from the start, so that inputs' shapes say nothing,
 * and whose output has its first input's shape unless it says otherwise.
 */
abstract class NamedBlock extends AbstractBlock {

    private static final byte VERSION = 1;

    NamedBlock() {
        super(VERSION);
    }

    /** Adds a parameter named {@code weight}. */
    final Parameter addWeight(Parameter.Type type, long... shape) {
        return addParameter(
                Parameter.builder()
                        .setName("weight")
                        .setType(type)
                        .optShape(new Shape(shape))
                        .build());
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedDtypeException for a type on which the engine would end the process
     */
    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        BFloat16.requireUsable(getClass().getSimpleName() + ".initialize", dataType);
        super.initialize(manager, dataType, inputShapes);
    }

    /**
     * {@inheritDoc}
     *
     * @throws UnsupportedDtypeException if a parameter is bfloat16, which DJL's format does not
     *     have
     */
    @Override
    public void saveParameters(DataOutputStream os) throws IOException {
        BFloat16.requireNone(getClass().getSimpleName() + ".saveParameters", getParameters());
        super.saveParameters(os);
    }

    @Override
    protected void initializeChildBlocks(
            NDManager manager, DataType dataType, Shape... inputShapes) {
        for (Block child : children.values()) {
            child.initialize(manager, dataType, inputShapes);
        }
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {inputShapes[0]};
    }
}
