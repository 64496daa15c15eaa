package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What every adapter method must do; a method's own test extends this. */
public abstract class AdapterContract {

    /** Creates a config without dropout. */
    protected abstract AdapterConfig config(int rank, boolean rsLora, TargetModules targets);

    private static final TargetModules ALL = TargetModules.parse("all-linear");

    @ParameterizedTest
    @CsvSource({"1, false, false", "3, true, true"})
    void newAdapterLeavesEveryBitOfTheOutput(int rank, boolean rsLora, boolean bias) {
        try (TinyModel model = new TinyModel(bias);
                NDManager scope = model.manager().newSubManager()) {
            NDArray x = scope.randomNormal(new Shape(2, 4, TinyModel.IN));
            float[] before = model.run(x, false).toFloatArray();
            try (AdaptedModel adapted = Adapters.attach(model, config(rank, rsLora, ALL), 1)) {
                assertThat(model.run(x, false).toFloatArray()).isEqualTo(before);
                assertThat(adapted.adapter().parameters()).isNotEmpty();
            }
            assertThat(model.run(x, false).toFloatArray()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false, false", "3, true, true", "3, false, true"})
    void fastFormEqualsTheEffectiveWeightForwardAndBackward(
            int rank, boolean rsLora, boolean bias) {
        try (TinyModel model = new TinyModel(bias);
                AdaptedModel adapted = Adapters.attach(model, config(rank, rsLora, ALL), 1);
                NDManager scope = model.manager().newSubManager();
                GradMode on = GradMode.enabled()) {
            randomise(adapted);
            AdapterState state = adapted.adapter().attachments().get(0).state();
            NDArray weight = model.up().weight().getArray();
            NDArray b = bias ? scope.randomNormal(new Shape(5)) : null;
            NDArray x = scope.randomNormal(new Shape(2, 4, TinyModel.IN));
            NDArray upstream = scope.randomNormal(new Shape(2, 4, 5));
            ParameterStore store = new ParameterStore(scope, false);

            NDArray fast = StateForward.linear(state, x, weight, b, store, true);
            Gradients.backward(fast, upstream);
            Map<String, float[]> fastGradients = takeGradients(state);

            NDArray effective = state.effectiveWeight(weight, store, true);
            NDArray slow = x.matMul(effective.transpose());
            slow = b == null ? slow : slow.add(b);
            Gradients.backward(slow, upstream);

            assertClose(fast.toFloatArray(), slow.toFloatArray(), 1e-5f);
            takeGradients(state)
                    .forEach(
                            (key, gradient) -> {
                                assertThat(fastGradients.get(key)).as(key).isNotNull();
                                assertClose(fastGradients.get(key), gradient, 2e-5f);
                            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false", "3, true"})
    void mergedWeightsGiveTheAdaptedOutput(int rank, boolean bias) {
        try (TinyModel model = new TinyModel(bias);
                AdaptedModel adapted = Adapters.attach(model, config(rank, false, ALL), 1);
                NDManager scope = model.manager().newSubManager()) {
            randomise(adapted);
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            float[] active = model.run(x, false).toFloatArray();
            MergeReport report = adapted.merge();
            assertThat(report.sites()).hasSize(2);
            assertThat(report.largest()).isPositive();
            assertThat(report.relative()).isPositive();
            assertClose(model.run(x, false).toFloatArray(), active, 1e-5f);
        }
    }

    @Test
    void mergeThenUnmergeRestoresEveryBitTenTimesOver() {
        try (TinyModel model = new TinyModel(true);
                AdaptedModel adapted = Adapters.attach(model, config(3, false, ALL), 1);
                NDManager scope = model.manager().newSubManager()) {
            randomise(adapted);
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            Map<String, float[]> before = values(model);
            float[] active = model.run(x, false).toFloatArray();
            for (int i = 0; i < 10; i++) {
                adapted.merge();
                assertThat(values(model).get("01body_01up_weight"))
                        .isNotEqualTo(before.get("01body_01up_weight"));
                adapted.unmerge();
            }
            values(model).forEach((name, v) -> assertThat(v).as(name).isEqualTo(before.get(name)));
            assertThat(model.run(x, false).toFloatArray()).isEqualTo(active);
        }
    }

    @Test
    void mergingTwiceChangesNothingTheSecondTime() {
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1)) {
            randomise(adapted);
            adapted.merge();
            Map<String, float[]> once = values(model);
            assertThat(adapted.merge().sites()).isEmpty();
            values(model).forEach((name, v) -> assertThat(v).as(name).isEqualTo(once.get(name)));
        }
    }

    @Test
    void mergeThatIsNotFiniteIsRefusedAndChangesNothing() {
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1)) {
            randomise(adapted);
            Parameter last =
                    new ArrayList<>(adapted.adapter().parameters().values())
                            .get(adapted.adapter().parameters().size() - 1);
            try (NDArray poison = model.manager().full(last.getShape(), Float.NaN)) {
                Tensors.copy(poison, last.getArray());
            }
            Map<String, float[]> before = values(model);
            assertThatThrownBy(adapted::merge)
                    .isInstanceOf(NonFiniteMergeException.class)
                    .hasMessageContaining("body.down");
            assertThat(adapted.isMerged()).isFalse();
            before.forEach(
                    (name, v) -> {
                        if (!name.contains("lora")) {
                            assertThat(values(model).get(name)).as(name).isEqualTo(v);
                        }
                    });
        }
    }

    @Test
    void disabledAdapterIsTheBaseModelAlsoNestedAndAfterAnException() {
        try (TinyModel model = new TinyModel(true);
                NDManager scope = model.manager().newSubManager()) {
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            float[] base = model.run(x, false).toFloatArray();
            try (AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1)) {
                randomise(adapted);
                float[] active = model.run(x, false).toFloatArray();
                assertThat(active).isNotEqualTo(base);
                try (AdapterScope outer = adapted.disableAdapter()) {
                    try (AdapterScope inner = adapted.disableAdapter()) {
                        assertThat(model.run(x, false).toFloatArray()).isEqualTo(base);
                    }
                    assertThat(model.run(x, false).toFloatArray()).isEqualTo(base);
                }
                assertThatThrownBy(
                                () -> {
                                    try (AdapterScope off = adapted.disableAdapter()) {
                                        throw new IllegalStateException("in the scope");
                                    }
                                })
                        .hasMessage("in the scope");
                assertThat(model.run(x, false).toFloatArray()).isEqualTo(active);
            }
        }
    }

    @Test
    void trainingReachesEveryAdapterParameterAndNoFrozenWeight() {
        try (TinyModel model = new TinyModel(true);
                AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1);
                NDManager scope = model.manager().newSubManager();
                GradMode on = GradMode.enabled()) {
            randomise(adapted);
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            Gradients.backward(model.run(x, true).square().sum());
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, parameter) -> {
                                try (NDArray gradient = parameter.getArray().getGradient()) {
                                    assertThat(gradient.abs().sum().getFloat())
                                            .as(key)
                                            .isPositive();
                                }
                            });
            assertThat(model.up().weight().getArray().hasGradient()).isFalse();
        }
    }

    @Test
    void aGarbageCollectionBetweenForwardAndBackwardChangesNothing() throws InterruptedException {
        try (TinyModel model = new TinyModel(true);
                AdaptedModel adapted = Adapters.attach(model, config(2, true, ALL), 1);
                NDManager scope = model.manager().newSubManager();
                GradMode on = GradMode.enabled()) {
            randomise(adapted);
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            NDArray upstream = scope.randomNormal(new Shape(3, TinyModel.OUT));
            Gradients.backward(model.run(x, true), upstream);
            AdapterState state = adapted.adapter().attachments().get(0).state();
            Map<String, float[]> expected = takeGradients(state);
            for (int i = 0; i < 5; i++) {
                NDArray y = model.run(x, true);
                overwriteFreedJavaBuffers();
                Gradients.backward(y, upstream);
                takeGradients(state)
                        .forEach((key, g) -> assertThat(g).as(key).isEqualTo(expected.get(key)));
            }
        }
    }

    /** What a graph keeps must not lie in a Java buffer that nothing refers to any more. */
    private static void overwriteFreedJavaBuffers() throws InterruptedException {
        System.gc();
        Thread.sleep(30); // buffers are freed by another thread
        for (int i = 0; i < 2000; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(4 + i % 60);
            while (buffer.hasRemaining()) {
                buffer.put((byte) 0x5a);
            }
        }
    }

    @Test
    void stepsLeaveNoArraysBehind() {
        try (TinyModel model = new TinyModel(true);
                AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1)) {
            randomise(adapted);
            step(model);
            int before = model.manager().getManagedArrays().size();
            for (int i = 0; i < 50; i++) {
                step(model);
            }
            assertThat(model.manager().getManagedArrays()).hasSize(before);
        }
    }

    private static void step(TinyModel model) {
        try (NDManager scope = model.manager().newSubManager();
                GradMode on = GradMode.enabled()) {
            NDArray x = scope.randomNormal(new Shape(3, TinyModel.IN));
            NDArray loss = model.run(x, true).square().sum();
            Gradients.backward(loss);
        }
    }

    @Test
    void closingTakesTheAdapterOffAndFreesIt() {
        try (TinyModel model = new TinyModel(false)) {
            List<String> names = model.getParameters().keys();
            int arrays = model.manager().getManagedArrays().size();
            AdaptedModel adapted = Adapters.attach(model, config(2, false, ALL), 1);
            assertThat(model.getParameters().keys()).isEqualTo(names);
            assertThat(adapted.block().getParameters().keys()).hasSizeGreaterThan(names.size());
            adapted.merge();
            adapted.close();
            adapted.close();
            assertThat(model.getParameters().keys()).isEqualTo(names);
            assertThat(model.manager().getManagedArrays()).hasSize(arrays);
            assertThatThrownBy(adapted::merge).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void targetsChooseTheSitesAndTheSummaryCountsThem() {
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted =
                        Adapters.attach(model, config(2, false, TargetModules.of("down")), 1)) {
            AdapterSummary summary = adapted.summary();
            assertThat(summary.sites()).hasSize(1);
            AdapterSummary.Row row = summary.sites().get(0);
            assertThat(row.site()).isEqualTo(Site.linear("body.down", 7, 5, false));
            assertThat(row.rank()).hasValue(2);
            assertThat(summary.trainable())
                    .isEqualTo(
                            adapted.adapter().parameters().values().stream()
                                    .mapToLong(p -> p.getShape().size())
                                    .sum());
            assertThat(summary.all()).isEqualTo(5 * 6 + 7 * 5 + summary.trainable());
            assertThat(summary.toString()).contains("trainable params: ", "body.down");
            assertThat(adapted.adapter().parameters().keySet())
                    .allMatch(key -> key.startsWith("base_model.model.body.down.lora_"));
        }
    }

    @Test
    void sameSeedGivesTheSameAdapterAndSitesDiffer() {
        try (TinyModel one = new TinyModel(false);
                TinyModel two = new TinyModel(false);
                AdaptedModel first = Adapters.attach(one, config(2, false, ALL), 5);
                AdaptedModel second = Adapters.attach(two, config(2, false, ALL), 5)) {
            String key = "base_model.model.body.up.lora_A.weight";
            assertThat(first.adapter().parameters().get(key).getArray().toFloatArray())
                    .isEqualTo(second.adapter().parameters().get(key).getArray().toFloatArray());
        }
    }

    @Test
    void aTargetThatMatchesNothingIsNamedWithNearNamesAndChangesNothing() {
        try (TinyModel model = new TinyModel(false)) {
            List<String> names = model.getParameters().keys();
            assertThatThrownBy(
                            () ->
                                    Adapters.attach(
                                            model,
                                            config(2, false, TargetModules.of("up", "donw")),
                                            1))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("donw")
                    .hasMessageContaining("down");
            assertThat(model.getParameters().keys()).isEqualTo(names);
        }
    }

    /** Moves every adapter parameter away from its initial value. */
    protected static void randomise(AdaptedModel adapted) {
        try (GradMode off = GradMode.disabled()) {
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                NDArray array = parameter.getArray();
                try (NDArray noise =
                                array.getManager()
                                        .randomNormal(0, 0.3f, array.getShape(), DataType.FLOAT32);
                        NDArray moved = noise.add(array)) {
                    Tensors.copy(moved, array);
                }
            }
        }
    }

    private static Map<String, float[]> takeGradients(AdapterState state) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        state.parameters()
                .forEach(
                        (key, parameter) -> {
                            try (NDArray gradient = parameter.getArray().getGradient()) {
                                gradients.put(key, gradient.toFloatArray());
                            }
                            Gradients.zero(parameter.getArray());
                        });
        return gradients;
    }

    private static Map<String, float[]> values(TinyModel model) {
        Map<String, float[]> values = new LinkedHashMap<>();
        model.getParameters()
                .forEach(p -> values.put(p.getKey(), p.getValue().getArray().toFloatArray()));
        return values;
    }

    private static void assertClose(float[] actual, float[] expected, float tolerance) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i])
                    .as("element %d", i)
                    .isCloseTo(expected[i], within(tolerance + 1e-5f * Math.abs(expected[i])));
        }
    }
}
