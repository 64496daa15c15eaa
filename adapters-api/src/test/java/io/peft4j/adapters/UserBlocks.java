package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.function.BiFunction;

/** Blocks as users write them. */
final class UserBlocks {

    private UserBlocks() {}

    /** Layers in private final fields, as DJL's own blocks keep them. */
    static final class Mlp extends Steps {

        private final Linear up = addChildBlock("up", Linear.builder().setUnits(7).build());
        private final LayerNorm norm = addChildBlock("norm", LayerNorm.builder().build());
        private final Linear down = addChildBlock("down", KeptBlock.linear());

        @Override
        NDList steps(ParameterStore store, NDList x, boolean training) {
            NDArray hidden = up.forward(store, x, training).singletonOrThrow().tanh();
            return down.forward(store, norm.forward(store, new NDList(hidden), training), training);
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            up.initialize(manager, type, shapes);
            norm.initialize(manager, type, new Shape(3, 7));
            down.initialize(manager, type, new Shape(3, 7));
        }
    }

    /** What it calls is held by a lambda, where no reference can be replaced. */
    static final class Captured extends Steps {

        private final BiFunction<ParameterStore, NDList, NDList> call;
        private boolean training;

        Captured() {
            Linear layer = addChildBlock("layer", KeptBlock.linear());
            call = (store, x) -> layer.forward(store, x, training);
        }

        @Override
        NDList steps(ParameterStore store, NDList x, boolean training) {
            this.training = training;
            return call.apply(store, x);
        }

        @Override
        protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
            getChildren().values().forEach(child -> child.initialize(manager, type, shapes));
        }
    }

    /** A block of the width in, the width out. */
    abstract static class Steps extends AbstractBlock {

        abstract NDList steps(ParameterStore store, NDList x, boolean training);

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
            return steps(store, inputs, training);
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return shapes;
        }
    }
}
