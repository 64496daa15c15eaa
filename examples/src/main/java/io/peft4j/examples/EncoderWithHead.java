package io.peft4j.examples;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.torch.BFloat16;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A text encoder and a linear layer on its pooled output. The children are named as in
 * transformers' BertForSequenceClassification, so that the adapter's files are too.
 *
 * <p>Shapes: ids and mask (n, tokens), INT64; result (n, classes).
 */
public final class EncoderWithHead extends AbstractBlock {

    private static final byte VERSION = 1;

    private final Block encoder;
    private final Block head;
    private final long hidden;

    private EncoderWithHead(Block encoder, long hidden, int classes) {
        super(VERSION);
        this.hidden = hidden;
        this.encoder = addChildBlock("bert", encoder);
        head = addChildBlock("classifier", Linear.builder().setUnits(classes).build());
        head.setInitializer(EncoderWithHead::firstValues, parameter -> true);
    }

    /**
     * The same base each time, as the saved adapter expects. With zeros the first gradients would
     * add up to 0, which DJL's Trainer takes for a backward that was forgotten.
     */
    private static NDArray firstValues(NDManager manager, Shape shape, DataType type) {
        Random random = new Random(0);
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = 0.02f * (float) random.nextGaussian();
        }
        return manager.create(values, shape).toType(type, false);
    }

    /**
     * Asks an encoder for the length of its pooled output, and puts a head on it.
     *
     * @param encoder takes ids and mask, gives the states and their pooled output
     * @param classes how many there are
     * @return the classifier; its head is to be initialised
     */
    public static EncoderWithHead of(Block encoder, int classes) {
        Shape[] outputs = encoder.getOutputShapes(new Shape[] {new Shape(1, 2), new Shape(1, 2)});
        return new EncoderWithHead(encoder, outputs[1].get(1), classes);
    }

    /**
     * Returns the encoder.
     *
     * @return what was given to {@link #of}
     */
    public Block encoder() {
        return encoder;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDList states = encoder.forward(store, inputs, training);
        NDArray pooled = states.get(1); // (n, hidden)
        return head.forward(store, new NDList(pooled), training);
    }

    @Override
    public void initialize(NDManager manager, DataType dataType, Shape... inputShapes) {
        BFloat16.requireUsable("EncoderWithHead.initialize", dataType);
        super.initialize(manager, dataType, inputShapes);
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputs) {
        BFloat16.requireUsable("EncoderWithHead.initialize", type);
        head.initialize(manager, type, new Shape(1, hidden));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return head.getOutputShapes(new Shape[] {new Shape(inputs[0].get(0), hidden)});
    }
}
