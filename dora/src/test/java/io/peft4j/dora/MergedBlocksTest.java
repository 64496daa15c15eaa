package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.MergeReport;
import io.peft4j.adapters.NonFiniteMergeException;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights of several blocks, the last of them smaller, are merged as they would be whole. */
class MergedBlocksTest {

    private static final int OUT = 1100; // a block of 1024 rows, and one of 76
    private static final int IN = 8192;

    private final NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    private final Linear linear = Linear.builder().setUnits(OUT).build();
    private final SequentialBlock base = new SequentialBlock().add(linear);

    private AdaptedModel attach(String method) {
        base.initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        fill(weight(), 1, 0.5f);
        AdapterConfig config =
                method.equals("dora")
                        ? DoraConfig.builder()
                                .setRank(3)
                                .optAlpha(5)
                                .setTargetModules("all-linear")
                                .build()
                        : LoraConfig.builder()
                                .setRank(3)
                                .optAlpha(5)
                                .setTargetModules("all-linear")
                                .build();
        return Adapters.attach(base, config);
    }

    private Parameter weight() {
        return linear.getParameters().get("weight");
    }

    private static void fill(Parameter parameter, long seed, float deviation) {
        NDArray array = parameter.getArray();
        Random random = new Random(seed);
        float[] values = new float[(int) array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = deviation * (float) random.nextGaussian();
        }
        try (NDManager scope = array.getManager().newSubManager()) {
            Tensors.copy(Tensors.of(scope, values, array.getShape()), array);
        }
    }

    private static void train(AdaptedModel adapted) {
        long seed = 5;
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            fill(parameter, seed++, 0.3f);
        }
    }

    private float[] effective(AdaptedModel adapted) {
        try (NDManager scope = manager.newSubManager()) {
            NDArray copy = Tensors.clone(scope, weight().getArray());
            return adapted.adapter()
                    .states()
                    .values()
                    .iterator()
                    .next()
                    .effectiveWeight(copy, new ParameterStore(scope, false), false)
                    .toFloatArray();
        }
    }

    /** Without it the other tests would go on passing when blocks grow beyond the weight. */
    @Test
    void theWeightIsLargerThanABlock() throws IOException {
        try (InputStream text = LoraConfig.class.getResourceAsStream("merge.ts")) {
            Matcher elements =
                    Pattern.compile("floordiv\\((\\d+), columns\\)")
                            .matcher(new String(text.readAllBytes(), StandardCharsets.UTF_8));
            assertThat(elements.find()).isTrue();
            int rows = Integer.parseInt(elements.group(1)) / IN;
            assertThat(OUT).isGreaterThan(rows);
            assertThat(OUT % rows).isPositive();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void mergedWeightsAreTheEffectiveOnesAndTheReportTellsTheChange(String method) {
        try (AdaptedModel adapted = attach(method)) {
            train(adapted);
            float[] before = weight().getArray().toFloatArray();
            float[] expected = effective(adapted);
            MergeReport.SiteChange change = adapted.merge().sites().get(0);
            float[] merged = weight().getArray().toFloatArray();
            double furthest = 0;
            double largest = 0;
            double changed = 0;
            double whole = 0;
            for (int i = 0; i < merged.length; i++) {
                furthest = Math.max(furthest, Math.abs(merged[i] - expected[i]));
                double difference = merged[i] - before[i];
                largest = Math.max(largest, Math.abs(difference));
                changed += difference * difference;
                whole += before[i] * (double) before[i];
            }
            assertThat(furthest).isLessThan(1e-5);
            assertThat(change.largest()).isCloseTo(largest, within(1e-5));
            assertThat(change.relative()).isCloseTo(Math.sqrt(changed / whole), within(1e-5));
            adapted.unmerge();
            assertThat(Arrays.equals(weight().getArray().toFloatArray(), before)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void aNewAdapterMergesToTheSameBits(String method) {
        try (AdaptedModel adapted = attach(method)) {
            float[] before = weight().getArray().toFloatArray();
            assertThat(adapted.merge().largest()).isZero();
            assertThat(Arrays.equals(weight().getArray().toFloatArray(), before)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void anElementInTheLastBlockThatIsNotFiniteIsFoundAndNothingHasChanged(String method) {
        try (AdaptedModel adapted = attach(method)) {
            train(adapted);
            float[] before = weight().getArray().toFloatArray();
            Parameter b =
                    adapted.adapter().parameters().entrySet().stream()
                            .filter(entry -> entry.getKey().endsWith("lora_B.weight"))
                            .findFirst()
                            .orElseThrow()
                            .getValue();
            float[] values = b.getArray().toFloatArray();
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                values[values.length - 1] = bad;
                try (NDManager scope = manager.newSubManager()) {
                    Tensors.copy(Tensors.of(scope, values, b.getShape()), b.getArray());
                }
                assertThatThrownBy(adapted::merge).isInstanceOf(NonFiniteMergeException.class);
                assertThat(Arrays.equals(weight().getArray().toFloatArray(), before)).isTrue();
            }
        }
    }

    @AfterEach
    void close() {
        manager.close();
    }
}
