package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** One linear layer {@code body.up} (5, 6) whose adapter, outputs and gradients real PEFT wrote. */
public final class LinearGolden {

    private static final float TOLERANCE = 2e-6f;

    private LinearGolden() {}

    /** Loads a case and checks forward, gradients and merge against PEFT's. */
    public static void check(String name) throws IOException {
        Path directory = TestData.path("golden/linear/" + name);
        try (SafetensorsFile golden =
                        SafetensorsFile.open(directory.resolve("golden.safetensors"));
                NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            Root root = new Root(manager, golden);
            try (AdaptedModel adapted = Adapters.load(root, directory)) {
                NDArray x = array(manager, golden, "x");
                x.setRequiresGradient(true);
                NDArray y =
                        adapted.block()
                                .forward(new ParameterStore(manager, false), new NDList(x), true)
                                .singletonOrThrow();
                assertEqual("y", y, golden);
                Gradients.backward(y, array(manager, golden, "upstream"));
                assertEqual("grad.x", x.getGradient(), golden);
                for (var entry : adapted.adapter().parameters().entrySet()) {
                    assertEqual(
                            "grad." + entry.getKey(),
                            entry.getValue().getArray().getGradient(),
                            golden);
                }
                adapted.merge();
                assertEqual("merged", root.up.weight().getArray(), golden);
            }
            assertThat(root.up.weight().getArray().toFloatArray())
                    .isEqualTo(golden.toFloats("weight"));
        }
    }

    private static NDArray array(NDManager manager, SafetensorsFile file, String name) {
        try {
            return manager.create(file.toFloats(name), new Shape(file.tensor(name).shape()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void assertEqual(String name, NDArray actual, SafetensorsFile golden)
            throws IOException {
        float[] expected = golden.toFloats(name);
        float[] found = actual.toFloatArray();
        assertThat(found).as(name).hasSameSizeAs(expected);
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i])
                    .as("%s[%d]", name, i)
                    .isCloseTo(expected[i], within(TOLERANCE * (1 + Math.abs(expected[i]))));
        }
    }

    private static final class Root extends AbstractBlock {

        private final AdaptableLinear up;

        Root(NDManager manager, SafetensorsFile golden) {
            boolean bias = golden.contains("bias");
            up = AdaptableLinear.builder().setFeatures(6, 5).optBias(bias).build();
            addChildBlock("body", new Body(up));
            initialize(manager, DataType.FLOAT32, new Shape(1, 6));
            for (Parameter parameter : up.getParameters().values()) {
                try (NDArray values = array(manager, golden, parameter.getName())) {
                    Tensors.copy(values, parameter.getArray());
                }
            }
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
            return up.forward(store, inputs, training);
        }

        @Override
        protected void initializeChildBlocks(NDManager m, DataType type, Shape... shapes) {
            getChildren().values().forEach(child -> child.initialize(m, type, shapes));
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return up.getOutputShapes(shapes);
        }
    }

    private static final class Body extends AbstractBlock {

        private final AdaptableLinear up;

        Body(AdaptableLinear up) {
            this.up = addChildBlock("up", up);
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store, NDList inputs, boolean training, PairList<String, Object> p) {
            return up.forward(store, inputs, training);
        }

        @Override
        protected void initializeChildBlocks(NDManager m, DataType type, Shape... shapes) {
            up.initialize(m, type, shapes);
        }

        @Override
        public Shape[] getOutputShapes(Shape[] shapes) {
            return up.getOutputShapes(shapes);
        }
    }
}
