package io.peft4j.ia3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Generator;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tiny models of all families with PEFT's default targets for (IA)³, against PEFT. */
class Ia3DecodersTest {

    private static final float LOGITS = 2e-5f;

    @TempDir private Path output;

    private record Case(
            CausalLm model,
            AdaptedModel adapted,
            SafetensorsFile base,
            SafetensorsFile golden,
            NDManager manager)
            implements AutoCloseable {

        static Case open(String family) throws IOException {
            Path directory = TestData.path("golden/" + family);
            CausalLm model = CausalLm.load(directory.resolve("model"), Device.cpu());
            return new Case(
                    model,
                    Adapters.load(model.block(), directory.resolve("ia3")),
                    SafetensorsFile.open(directory.resolve("golden.safetensors")),
                    SafetensorsFile.open(directory.resolve("ia3/golden.safetensors")),
                    model.manager().newSubManager());
        }

        NDArray ids() throws IOException {
            Shape shape = new Shape(base.tensor("input_ids").shape());
            return manager.create(base.toLongs("input_ids"), shape);
        }

        float[] logits() throws IOException {
            return model.logits(manager, ids(), null).toFloatArray();
        }

        @Override
        public void close() throws IOException {
            manager.close();
            adapted.close();
            model.close();
            base.close();
            golden.close();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"llama3", "llama_bias", "qwen2", "mistral", "mixtral", "phi3", "openelm"})
    void logitsLossTextGradientsAndMergedWeightsAreThoseOfPeft(String family) throws IOException {
        try (Case c = Case.open(family)) {
            assertClose("on", c.logits(), c.golden.toFloats("logits"), LOGITS, 0);
            double[] sums = c.model.backward(c.ids(), c.ids(), 14);
            assertThat((sums[0] + sums[1]) / 14)
                    .isCloseTo(c.golden.toFloats("loss")[0], within(1e-5));
            assertGradients(c);
            long[] greedy = c.golden.toLongs("greedy");
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(8).build();
            assertThat(new Generator().generate(c.model, Arrays.copyOf(greedy, 4), config, t -> {}))
                    .containsExactly(Arrays.copyOfRange(greedy, 4, 12));
            try (AdapterScope off = c.adapted.disableAdapter()) {
                assertClose("off", c.logits(), c.base.toFloats("logits"), LOGITS, 0);
            }
            Map<String, float[]> before = weights(c.model);
            c.adapted.merge();
            assertMerged(c);
            assertClose("merged", c.logits(), c.golden.toFloats("logits"), LOGITS, 0);
            c.adapted.unmerge();
            weights(c.model)
                    .forEach((name, values) -> assertThat(values).isEqualTo(before.get(name)));
        }
    }

    private static void assertGradients(Case c) throws IOException {
        for (Map.Entry<String, Parameter> entry : c.adapted.adapter().parameters().entrySet()) {
            String key = "grad." + entry.getKey();
            float[] gradient = entry.getValue().getArray().getGradient().toFloatArray();
            assertClose(key, gradient, c.golden.toFloats(key), 1e-5f, 1e-4f);
        }
        assertThat(c.golden.names().stream().filter(name -> name.startsWith("grad.")))
                .hasSameSizeAs(c.adapted.adapter().parameters().keySet());
    }

    private static void assertMerged(Case c) throws IOException {
        Map<String, float[]> merged = weights(c.model);
        int compared = 0;
        for (String name : c.golden.names()) {
            if (name.startsWith("merged.")) {
                float[] weight = merged.get(name.substring("merged.".length()));
                assertClose(name, weight, c.golden.toFloats(name), 2e-6f, 0);
                compared++;
            }
        }
        assertThat(compared).isGreaterThan(1);
    }

    private static Map<String, float[]> weights(CausalLm model) {
        Map<String, float[]> weights = new LinkedHashMap<>();
        model.parameters().forEach((name, p) -> weights.put(name, p.getArray().toFloatArray()));
        return weights;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"llama3", "llama_bias", "qwen2", "mistral", "mixtral", "phi3", "openelm"})
    void fiveStepsOnThePaddedBatchAreThoseOfTorch(String family) throws IOException {
        TrainingConfig config =
                TrainingConfig.builder()
                        .optBatchSize(2)
                        .optMaxSteps(5)
                        .optLearningRate(1e-2)
                        .optWeightDecay(0.01)
                        .optSchedule(Schedule.CONSTANT)
                        .optMaxGradNorm(0)
                        .optShuffle(false)
                        .build();
        List<Double> losses = new ArrayList<>();
        TrainingObserver recorder =
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        losses.add(step.loss());
                    }
                };
        try (Case c = Case.open(family)) {
            SftTrainer.train(
                    LanguageModel.of(c.model),
                    new AdapterTrainable(c.adapted),
                    paddedBatch(c.base),
                    List.of(),
                    config,
                    output,
                    recorder);
            float[] expected = c.golden.toFloats("train_losses");
            for (int step = 0; step < expected.length; step++) {
                assertThat(losses.get(step)).isCloseTo(expected[step], within(1e-5));
            }
            try (SafetensorsFile saved =
                    SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
                for (String name : saved.names()) {
                    // torch skips an expert that no token reached
                    if (c.golden.contains("step5." + name)) {
                        float[] golden = c.golden.toFloats("step5." + name);
                        assertClose(name, saved.toFloats(name), golden, 2e-4f, 0);
                    } else {
                        assertThat(family).isEqualTo("mixtral");
                    }
                }
            }
        }
    }

    /** The rows without their padding, since batches pad by themselves. */
    private static List<Example> paddedBatch(SafetensorsFile base) throws IOException {
        long[] ids = base.toLongs("padded_input_ids");
        long[] labels = base.toLongs("labels");
        long[] mask = base.toLongs("attention_mask");
        int length = ids.length / 2;
        List<Example> rows = new ArrayList<>();
        for (int row = 0; row < 2; row++) {
            int from = row * length;
            int to = from + (int) Arrays.stream(mask, from, from + length).sum();
            rows.add(
                    new Example(
                            Arrays.copyOfRange(ids, from, to),
                            Arrays.copyOfRange(labels, from, to)));
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "qwen2", "mistral", "mixtral", "phi3", "openelm"})
    void theDefaultTargetsOfAFamilyAreThoseOfTheGoldens(String family) throws IOException {
        try (Case c = Case.open(family)) {
            PeftConfig peft = c.adapted.adapter().config().toPeft();
            assertThat(c.model.config().defaultIa3TargetModules())
                    .containsExactlyInAnyOrderElementsOf(peft.strings("target_modules"));
            assertThat(c.model.config().feedforwardModules())
                    .isEqualTo(peft.strings("feedforward_modules"));
        }
    }

    @Test
    void rowsOfABatchMayHaveFactorsOfTheirOwn() throws IOException {
        try (Case c = Case.open("llama3")) {
            List<String> rows = List.of(RowAdapters.BASE, AdaptedModel.DEFAULT);
            float[] mixed = c.model.logits(c.manager, c.ids(), null, rows).toFloatArray();
            float[] base = c.base.toFloats("logits");
            float[] on = c.golden.toFloats("logits");
            System.arraycopy(base, 0, on, 0, base.length / 2);
            assertClose("mixed", mixed, on, LOGITS, 0);
        }
    }

    /** The base in bfloat16 is away from itself in float32; with factors it is about as far. */
    @Test
    void aBaseIn16BitsComputesAndTrainsWithFloat32Factors() throws IOException {
        Path family = TestData.path("golden/llama_bias");
        try (Case exact = Case.open("llama_bias");
                CausalLm narrow = CausalLm.load(family.resolve("model"), Device.cpu(), Dtype.BF16);
                AdaptedModel adapted = Adapters.load(narrow.block(), family.resolve("ia3"))) {
            float[] on = narrow.logits(exact.manager, exact.ids(), null).toFloatArray();
            double usual;
            try (AdapterScope off = adapted.disableAdapter()) {
                float[] base = narrow.logits(exact.manager, exact.ids(), null).toFloatArray();
                usual = distance(base, exact.base.toFloats("logits"));
            }
            assertThat(distance(on, exact.golden.toFloats("logits"))).isLessThan(2 * usual);
            narrow.backward(exact.ids(), exact.ids(), 14);
            for (Map.Entry<String, Parameter> entry : adapted.adapter().parameters().entrySet()) {
                NDArray gradient = entry.getValue().getArray().getGradient();
                assertThat(gradient.getDataType()).isEqualTo(DataType.FLOAT32);
                float[] golden = exact.golden.toFloats("grad." + entry.getKey());
                assertThat(distance(gradient.toFloatArray(), golden))
                        .as(entry.getKey())
                        .isLessThan(0.1 * distance(golden, new float[golden.length]));
            }
        }
    }

    private static double distance(float[] one, float[] other) {
        double sum = 0;
        for (int i = 0; i < one.length; i++) {
            sum += Math.pow(one[i] - other[i], 2);
        }
        return Math.sqrt(sum);
    }

    private static void assertClose(
            String what, float[] actual, float[] expected, float absolute, float relative) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i])
                    .as("%s[%d]", what, i)
                    .isCloseTo(expected[i], within(absolute + relative * Math.abs(expected[i])));
        }
    }
}
