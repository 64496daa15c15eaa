package io.peft4j.adapters;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.IdentityHashMap;
import java.util.Map;

/** A linear layer that counts how often it is called. */
final class CountingLinear extends Linear {

    private static final Shape ONE_ROW = new Shape(1, 1);

    private int calls;

    private CountingLinear(Builder builder) {
        super(builder);
    }

    static CountingLinear like(Linear linear) {
        long units = linear.getOutputShapes(new Shape[] {ONE_ROW})[0].get(1);
        return new CountingLinear(
                Linear.builder()
                        .setUnits(units)
                        .optBias(linear.getDirectParameters().contains("bias")));
    }

    /** Makes one for every linear layer of a tree, by old layer. */
    static Map<Linear, CountingLinear> forEvery(Block root) {
        Map<Linear, CountingLinear> made = new IdentityHashMap<>();
        collect(root, made);
        return made;
    }

    private static void collect(Block block, Map<Linear, CountingLinear> made) {
        if (block.getClass() == Linear.class) {
            made.computeIfAbsent((Linear) block, CountingLinear::like);
        }
        block.getChildren().values().forEach(child -> collect(child, made));
    }

    int calls() {
        return calls;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        calls++;
        return super.forwardInternal(store, inputs, training, p);
    }
}
