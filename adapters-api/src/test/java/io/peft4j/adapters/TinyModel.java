package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.torch.Tensors;

/** Two linear layers, {@code body.up} (5, 6) and {@code body.down} (7, 5), with a tanh between. */
public final class TinyModel extends AbstractBlock implements AdapterHost, AutoCloseable {

    public static final long IN = 6;
    public static final long OUT = 7;

    private final NDManager manager = NDManager.newBaseManager();
    private final Body body;
    private AdaptedModel adapters;

    public TinyModel(boolean bias) {
        body = addChildBlock("body", new Body(bias));
        initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        for (Parameter parameter : getParameters().values()) {
            try (NDArray values =
                    manager.randomNormal(0, 0.5f, parameter.getShape(), DataType.FLOAT32)) {
                Tensors.copy(values, parameter.getArray());
            }
        }
    }

    @Override
    public void setAdapters(AdaptedModel model) {
        adapters = model;
    }

    public NDManager manager() {
        return manager;
    }

    public AdaptableLinear up() {
        return body.up;
    }

    public NDArray run(NDArray x, boolean training) {
        return forward(new ParameterStore(manager, false), new NDList(x), training)
                .singletonOrThrow();
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
        return body.forward(adapters == null ? store : adapters.store(store), inputs, training);
    }

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... shapes) {
        body.initialize(m, type, shapes);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
        return body.getOutputShapes(shapes);
    }

    @Override
    public void close() {
        manager.close();
    }

    private static final class Body extends AbstractBlock {

        private final AdaptableLinear up;
        private final AdaptableLinear down;

        Body(boolean bias) {
            up =
                    addChildBlock(
                            "up",
                            AdaptableLinear.builder().setFeatures(IN, 5).optBias(bias).build());
            down =
                    addChildBlock(
                            "down",
                            AdaptableLinear.builder().setFeatures(5, OUT).optBias(bias).build());
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
            NDArray hidden = up.forward(store, inputs, training).singletonOrThrow();
            try (hidden;
                    NDArray activated = hidden.tanh()) {
                return down.forward(store, new NDList(activated), training);
            }
        }

        @Override
        protected void initializeChildBlocks(NDManager m, DataType type, Shape... shapes) {
            up.initialize(m, type, shapes);
            down.initialize(m, type, new Shape(1, 5));
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return down.getOutputShapes(up.getOutputShapes(shapes));
        }
    }
}
