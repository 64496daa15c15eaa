package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** A small model whose modules have the names that they have in the torch module it stands for. */
public final class GoldenBlock extends AbstractBlock {

    private final Forward forward;
    private final Map<String, Block> modules = new LinkedHashMap<>();
    private final Map<String, Shape> inputs = new LinkedHashMap<>();

    /** Applies the model to its input. */
    public interface Forward {
        NDArray apply(Modules modules, NDArray x);
    }

    /** Applies a module by its name. */
    public interface Modules {
        NDArray call(String name, NDArray x);
    }

    public GoldenBlock(Forward forward) {
        this.forward = forward;
    }

    /** Adds a module and the shape of its input. */
    public GoldenBlock module(String name, Block block, long... input) {
        modules.put(name, addChildBlock(name, block));
        inputs.put(name, new Shape(input));
        return this;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList list, boolean training, PairList<String, Object> params) {
        Modules call =
                (name, x) ->
                        Objects.requireNonNull(modules.get(name))
                                .forward(store, new NDList(x), training)
                                .singletonOrThrow();
        return new NDList(forward.apply(call, list.singletonOrThrow()));
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
        modules.forEach((name, block) -> block.initialize(manager, type, inputs.get(name)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        throw new UnsupportedOperationException("the goldens say what the output is");
    }
}
