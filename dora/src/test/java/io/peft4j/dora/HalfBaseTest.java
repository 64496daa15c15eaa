package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TargetModules;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** LoRA and DoRA on a linear layer that is stored in another type than float32. */
class HalfBaseTest {

    private static final int IN = 48;
    private static final int OUT = 40;
    private static final int ROWS = 64;

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    private NDArray random(ScalarType type, long seed, long... shape) {
        Random random = new Random(seed);
        Shape wanted = new Shape(shape);
        float[] values = new float[(int) wanted.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        // what bfloat16 holds exactly, so that all types begin with the same numbers
        NDArray coarse = Tensors.empty(manager, wanted, ScalarType.BFLOAT16);
        Tensors.copy(manager.create(values, wanted), coarse);
        NDArray array = Tensors.empty(manager, wanted, type);
        Tensors.copy(coarse, array);
        return array;
    }

    private AdaptedModel attach(ScalarType type, AdapterConfig config) {
        AdaptableLinear linear = AdaptableLinear.builder().setFeatures(IN, OUT).build();
        linear.weight().setInitializer((m, shape, t) -> random(type, 1, OUT, IN));
        SequentialBlock block = new SequentialBlock().add(linear);
        block.initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        AdaptedModel adapted = Adapters.attach(block, config, 1);
        Random random = new Random(2);
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            float[] values = parameter.getArray().toFloatArray();
            for (int i = 0; i < values.length; i++) {
                values[i] += 0.1f * (float) random.nextGaussian();
            }
            Tensors.copy(manager.create(values, parameter.getShape()), parameter.getArray());
        }
        return adapted;
    }

    private static AdapterConfig everything(String method) {
        TargetModules modules = TargetModules.parse("re:.*");
        return method.equals("lora")
                ? LoraConfig.builder().setRank(4).setTargetModules(modules).build()
                : DoraConfig.builder().setRank(4).setTargetModules(modules).build();
    }

    private float[] run(AdaptedModel adapted, ScalarType type) {
        try (GradMode off = GradMode.disabled()) {
            NDArray y =
                    adapted.block()
                            .forward(
                                    new ParameterStore(manager, false),
                                    new NDList(random(type, 3, ROWS, IN)),
                                    false)
                            .singletonOrThrow();
            assertThat(ScalarType.of(y)).isEqualTo(type);
            return Tensors.toFloats(y);
        }
    }

    private Map<String, float[]> gradients(AdaptedModel adapted, ScalarType type) {
        try (GradMode on = GradMode.enabled()) {
            NDArray x = random(type, 3, ROWS, IN);
            NDArray y =
                    adapted.block()
                            .forward(new ParameterStore(manager, false), new NDList(x), true)
                            .singletonOrThrow();
            Gradients.backward(y, random(type, 4, ROWS, OUT));
        }
        Map<String, float[]> gradients = new LinkedHashMap<>();
        adapted.adapter()
                .parameters()
                .forEach(
                        (key, p) -> {
                            NDArray gradient = p.getArray().getGradient();
                            assertThat(gradient.getDataType()).isEqualTo(DataType.FLOAT32);
                            gradients.put(key, gradient.toFloatArray());
                        });
        return gradients;
    }

    private static double distance(float[] some, float[] exact) {
        double difference = 0;
        double whole = 0;
        for (int i = 0; i < exact.length; i++) {
            difference += Math.pow(some[i] - exact[i], 2);
            whole += Math.pow(exact[i], 2);
        }
        return Math.sqrt(difference / whole);
    }

    @ParameterizedTest
    @CsvSource({
        "lora,BFLOAT16,0.006", "lora,FLOAT16,0.0008", "lora,FLOAT64,0.000001",
        "dora,BFLOAT16,0.006", "dora,FLOAT16,0.0008", "dora,FLOAT64,0.000001"
    })
    void outputGradientsAndMergedWeightAreThoseOfFloat32Rounded(
            String method, ScalarType type, double tolerance) {
        try (AdaptedModel exact = attach(ScalarType.FLOAT32, everything(method));
                AdaptedModel half = attach(type, everything(method))) {
            float[] y = run(exact, ScalarType.FLOAT32);
            assertThat(distance(run(half, type), y)).isLessThan(tolerance);
            Map<String, float[]> expected = gradients(exact, ScalarType.FLOAT32);
            gradients(half, type)
                    .forEach(
                            (key, found) ->
                                    assertThat(distance(found, expected.get(key)))
                                            .as(key)
                                            .isLessThan(tolerance));
            half.merge();
            assertThat(distance(run(half, type), y)).isLessThan(tolerance);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BFLOAT16", "FLOAT16"})
    void aChangeOfTheMagnitudeFarBelowThePrecisionOfOneIsNotRoundedAway(ScalarType type) {
        try (AdaptedModel adapted = attach(type, everything("dora"))) {
            AdapterState state = adapted.adapter().states().values().iterator().next();
            Map<String, Parameter> parameters = state.parameters();
            NDArray b = parameters.get("lora_B.weight").getArray();
            Tensors.copy(manager.zeros(b.getShape()), b);
            NDArray w = random(ScalarType.FLOAT32, 1, OUT, IN);
            NDArray norm = w.square().sum(new int[] {1}).sqrt();
            Tensors.copy(norm.mul(1 + 1e-5f), parameters.get("lora_magnitude_vector").getArray());
            NDArray x = random(type, 3, ROWS, IN);
            NDArray base = random(type, 5, ROWS, OUT);
            NDArray update =
                    state.linearUpdate(
                            x,
                            base,
                            random(type, 1, OUT, IN),
                            new ParameterStore(manager, false),
                            false);
            float[] values = Tensors.toFloats(base);
            float[] found = Tensors.toFloats(update);
            double ratio = 0;
            for (int i = 0; i < values.length; i++) {
                ratio += found[i] / values[i] / values.length;
            }
            assertThat(ratio).isCloseTo(1e-5, within(3e-7));
        }
    }

    @Test
    void anUntouchedAdapterChangesNoBit() {
        AdaptableLinear linear = AdaptableLinear.builder().setFeatures(IN, OUT).build();
        linear.weight().setInitializer((m, shape, t) -> random(ScalarType.BFLOAT16, 1, OUT, IN));
        SequentialBlock block = new SequentialBlock().add(linear);
        block.initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        NDArray x = random(ScalarType.BFLOAT16, 3, ROWS, IN);
        ParameterStore store = new ParameterStore(manager, false);
        float[] bare =
                Tensors.toFloats(block.forward(store, new NDList(x), false).singletonOrThrow());
        try (AdaptedModel adapted = Adapters.attach(block, everything("dora"), 1)) {
            assertThat(run(adapted, ScalarType.BFLOAT16)).isEqualTo(bare);
        }
    }
}
