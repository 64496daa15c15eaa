package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.Tensors;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** DJL's Model.save and Model.load with adapters. */
class ModelFileTest {

    private static final String NAME = "classifier";

    private final Model one = Classifier.model(1);
    private final Model two = Classifier.model(2);
    private final NDManager data = NDManager.newBaseManager();
    private final NDArray x = data.randomNormal(new Shape(3, Classifier.IN));

    @TempDir private Path directory;

    @AfterEach
    void close() {
        one.close();
        two.close();
        data.close();
    }

    private static AdaptedModel attach(Model model) {
        AdaptedModel adapted = Adapters.attach(model, MatrixUpdateConfig.of(2, Classifier.LAYERS));
        randomise(adapted.adapter());
        return adapted;
    }

    private static void randomise(Adapter adapter) {
        for (Parameter parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            Tensors.copy(array.getManager().randomNormal(array.getShape()), array);
        }
    }

    private float[] run(Model model) {
        ParameterStore store = new ParameterStore(data, false);
        return model.getBlock().forward(store, new NDList(x), false).get(0).toFloatArray();
    }

    private Path file() {
        return directory.resolve(NAME + "-0000.params");
    }

    private byte[] saved(Model model) throws IOException {
        model.setProperty("Epoch", "0");
        model.save(directory, NAME);
        return Files.readAllBytes(file());
    }

    @Test
    void theFileBeginsWithTheBasesBytesAndLoadsInThePlainBase() throws Exception {
        byte[] plain = saved(one);
        float[] before = run(one);
        try (AdaptedModel adapted = attach(one)) {
            byte[] both = saved(one);
            assertThat(both).hasSizeGreaterThan(plain.length);
            assertThat(Arrays.copyOf(both, plain.length)).isEqualTo(plain);
            adapted.delete(AdaptedModel.DEFAULT);
            assertThat(saved(one)).isEqualTo(plain);
            Files.write(file(), both);
        }
        two.load(directory, NAME);
        assertThat(Classifier.values(two.getBlock()))
                .allSatisfy(
                        (name, v) ->
                                assertThat(v)
                                        .isEqualTo(Classifier.values(one.getBlock()).get(name)));
        one.getBlock().freezeParameters(true);
        two.getBlock().freezeParameters(true);
        assertThat(run(two)).isEqualTo(run(one)).hasSameSizeAs(before);
    }

    @Test
    void aFreshlyAdaptedModelGetsBaseAndAdaptersBack() throws Exception {
        try (AdaptedModel first = attach(one);
                AdaptedModel second = attach(two)) {
            randomise(first.add("other", MatrixUpdateConfig.of(3, "04Linear")));
            second.add("other", MatrixUpdateConfig.of(3, "04Linear"));
            saved(one);
            Map<Parameter, NDArray> arrays = new IdentityHashMap<>();
            two.getBlock().getParameters().values().forEach(p -> arrays.put(p, p.getArray()));
            int count = two.getNDManager().getManagedArrays().size();
            two.load(directory, NAME);
            for (String name : first.names()) {
                first.activate(name);
                second.activate(name);
                assertThat(run(two)).as(name).isEqualTo(run(one));
            }
            assertThat(two.getBlock().getParameters().values())
                    .allMatch(parameter -> arrays.get(parameter) == parameter.getArray());
            assertThat(two.getNDManager().getManagedArrays()).hasSize(count);
            assertThat(second.adapter("other").parameters().values())
                    .allMatch(Parameter::requiresGradient);
        }
        assertThat(two.getBlock().getParameters().values()).noneMatch(Parameter::requiresGradient);
    }

    @Test
    void aFileWithoutAdaptersLeavesThemAsTheyAre() throws Exception {
        saved(one);
        try (AdaptedModel adapted = attach(two)) {
            Map<String, float[]> before = Classifier.values(adapted.adapter().parameters());
            two.load(directory, NAME);
            Classifier.values(adapted.adapter().parameters())
                    .forEach((key, v) -> assertThat(v).as(key).isEqualTo(before.get(key)));
            Classifier.values(one.getBlock())
                    .forEach(
                            (key, v) ->
                                    assertThat(Classifier.values(two.getBlock()).get(key))
                                            .as(key)
                                            .isEqualTo(v));
        }
    }

    @Test
    void statesAreToldOfTheNewBase() throws Exception {
        saved(one);
        Map<String, float[]> told = new LinkedHashMap<>();
        try (AdaptedModel adapted = Adapters.attach(two, new Listening(told))) {
            assertThat(told).isEmpty();
            two.load(directory, NAME);
            assertThat(told.get("04Linear"))
                    .isEqualTo(Classifier.values(one.getBlock()).get("04Linear_weight"));
            assertThat(adapted.names()).hasSize(1);
        }
    }

    /** Adapts nothing and writes down what it is told. */
    private record Listening(Map<String, float[]> told) implements AdapterConfig {

        @Override
        public String method() {
            return "listening";
        }

        @Override
        public TargetModules targetModules() {
            return TargetModules.of("04Linear");
        }

        @Override
        public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
            return new AdapterState() {
                @Override
                public Map<String, Parameter> parameters() {
                    return Map.of();
                }

                @Override
                public NDArray effectiveWeight(
                        NDArray weight, ParameterStore store, boolean training) {
                    return weight.reshape(weight.getShape());
                }

                @Override
                public void weightChanged(NDArray weight) {
                    told.put(site.path(), weight.toFloatArray());
                }

                @Override
                public void close() {}
            };
        }

        @Override
        public PeftConfig toPeft() {
            return PeftConfig.builder("LISTENING").build();
        }
    }

    @Test
    void aFileOfOtherAdaptersIsRefusedWithWhatDiffersAndChangesNothing() throws Exception {
        try (AdaptedModel first = attach(one);
                AdaptedModel second = attach(two)) {
            first.add("more", MatrixUpdateConfig.of(2, "04Linear"));
            saved(one);
            assertRefused(second, "adapter more", "[default]");

            first.delete("more");
            first.delete(AdaptedModel.DEFAULT);
            first.add(AdaptedModel.DEFAULT, MatrixUpdateConfig.of(3, "04Linear"));
            saved(one);
            assertRefused(second, "04Linear.lora_A.weight", "(3, 8)", "(2, 8)", "01Linear");
        }
    }

    @Test
    void aFileOfAnotherBaseIsRefusedAndChangesNothing() throws Exception {
        try (Model wide = Model.newInstance(NAME, "PyTorch");
                AdaptedModel adapted = attach(two)) {
            Block block = Classifier.block();
            block.initialize(wide.getNDManager(), DataType.FLOAT32, new Shape(1, 9));
            wide.setBlock(block);
            saved(wide);
            assertRefused(adapted, "01Linear_weight", "(8, 4)", "(8, 9)");
        }
    }

    @Test
    void aFileOfALargerModelIsRefusedAndChangesNothing() throws Exception {
        try (Model larger = Model.newInstance(NAME, "PyTorch");
                AdaptedModel adapted = attach(two)) {
            SequentialBlock block = (SequentialBlock) Classifier.block();
            block.add(Linear.builder().setUnits(2).build());
            block.initialize(larger.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
            larger.setBlock(block);
            saved(larger);
            assertRefused(adapted, "larger model");
        }
    }

    @Test
    void aFileThatEndsEarlyChangesNothing() throws Exception {
        try (AdaptedModel first = attach(one);
                AdaptedModel second = attach(two)) {
            byte[] whole = saved(one);
            for (int length : new int[] {whole.length / 3, whole.length - 700, whole.length - 1}) {
                Files.write(file(), Arrays.copyOf(whole, length));
                Map<String, float[]> before = everything(second);
                assertThatThrownBy(() -> two.load(directory, NAME))
                        .isInstanceOf(EOFException.class);
                assertSame(second, before);
            }
            assertThat(first.names()).hasSize(1);
        }
    }

    private void assertRefused(AdaptedModel adapted, String... parts) {
        Map<String, float[]> before = everything(adapted);
        assertThatThrownBy(() -> two.load(directory, NAME))
                .isInstanceOf(MalformedModelException.class)
                .message()
                .contains(parts);
        assertSame(adapted, before);
    }

    private static Map<String, float[]> everything(AdaptedModel adapted) {
        return Classifier.values(adapted.block());
    }

    private static void assertSame(AdaptedModel adapted, Map<String, float[]> before) {
        everything(adapted)
                .forEach((name, v) -> assertThat(v).as(name).isEqualTo(before.get(name)));
        assertThat(adapted.adapter().parameters().values()).allMatch(Parameter::requiresGradient);
    }

    @Test
    void mergedWeightsAreNeitherSavedAsTheBaseNorLoadedOver() throws Exception {
        saved(one);
        try (AdaptedModel adapted = attach(one)) {
            adapted.merge();
            assertThatThrownBy(() -> one.save(directory, "merged"))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("unmerge");
            assertThatThrownBy(() -> one.load(directory, NAME))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("unmerge");
            adapted.unmerge();
            adapted.mergeAndUnload();
        }
        one.save(directory, "merged"); // a plain model with the adapter in its weights
        two.load(directory, "merged");
        two.getBlock().freezeParameters(true);
        assertThat(run(two)).isEqualTo(run(one));
    }
}
