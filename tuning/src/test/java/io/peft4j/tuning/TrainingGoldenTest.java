package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters trained here against adapters that torch and PEFT trained, from the same start. */
class TrainingGoldenTest {

    // Adam turns rounding of small gradients into steps: with AVX-512 products 3.4e-5 was seen
    private static final float TOLERANCE = 5e-5f;

    @TempDir Path output;
    private final Recorder recorder = new Recorder();

    private void train(String adapter, List<Example> rows, TrainingConfig config)
            throws IOException {
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted =
                        Adapters.load(model.block(), OpenElm.DIRECTORY.resolve(adapter))) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    rows,
                    List.of(),
                    config,
                    output,
                    recorder);
        }
    }

    private void expectAdapter(SafetensorsFile golden, String prefix) throws IOException {
        try (SafetensorsFile saved =
                SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
            for (String name : saved.names()) {
                float[] expected = golden.toFloats(prefix + name);
                float[] values = saved.toFloats(name);
                for (int i = 0; i < expected.length; i++) {
                    assertThat(values[i])
                            .as("%s[%d]", name, i)
                            .isCloseTo(expected[i], within(TOLERANCE));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void fiveStepsOnThePaddedBatch(String adapter) throws IOException {
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
        train(adapter, OpenElm.paddedBatch(), config);
        try (SafetensorsFile golden =
                SafetensorsFile.open(
                        OpenElm.DIRECTORY.resolve(adapter).resolve("golden.safetensors"))) {
            float[] losses = golden.toFloats("train_losses");
            for (int step = 0; step < 5; step++) {
                assertThat(recorder.steps.get(step).loss()).isCloseTo(losses[step], within(1e-5));
            }
            expectAdapter(golden, "step5.");
        }
    }

    static Stream<Arguments> cases() throws IOException {
        return GoldenJson.cases("training/cases.json").stream()
                .flatMap(
                        golden ->
                                Stream.of("lora", "dora")
                                        .map(
                                                adapter ->
                                                        Arguments.of(
                                                                golden.get("name").getAsString(),
                                                                adapter,
                                                                golden)));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("cases")
    void accumulationClippingSchedulesBetasAndLoraPlus(
            String name, String adapter, JsonObject golden) throws IOException {
        TrainingConfig.Builder config =
                TrainingConfig.builder()
                        .optBatchSize(golden.get("batch").getAsInt())
                        .optGradientAccumulation(golden.get("accumulation").getAsInt())
                        .optMaxSteps(golden.get("steps").getAsInt())
                        .optLearningRate(golden.get("learning_rate").getAsDouble())
                        .optSchedule(Schedule.of(golden.get("schedule").getAsString()))
                        .optWarmupSteps(golden.get("warmup").getAsInt())
                        .optWeightDecay(golden.get("weight_decay").getAsDouble())
                        .optMaxGradNorm(golden.get("max_grad_norm").getAsDouble())
                        .optShuffle(false);
        if (golden.has("loraplus_ratio")) {
            config.optLoraPlus(new LoraPlus(golden.get("loraplus_ratio").getAsDouble()));
        }
        if (golden.has("betas")) {
            double[] betas = GoldenJson.doubles(golden.get("betas"));
            config.optAdamBetas(betas[0], betas[1])
                    .optAdamEpsilon(golden.get("eps").getAsDouble())
                    .optWarmupStart(golden.get("warmup_start").getAsDouble())
                    .optMinLearningRate(golden.get("min_learning_rate").getAsDouble());
        }
        SftDataset data =
                SftDataset.read(
                        TestData.path("training/rows.jsonl"),
                        null,
                        DatasetOptions.training(264, 64));
        train(adapter, data.examples(), config.build());
        try (SafetensorsFile file =
                SafetensorsFile.open(
                        TestData.path("training/" + name + "-" + adapter + ".safetensors"))) {
            float[] losses = file.toFloats("losses");
            float[] norms = file.toFloats("norms");
            for (int step = 0; step < losses.length; step++) {
                TrainingStep done = recorder.steps.get(step);
                assertThat(done.loss()).isCloseTo(losses[step], within(2e-5));
                assertThat(done.gradientNorm()).isCloseTo(norms[step], within(1e-4));
            }
            expectAdapter(file, "");
        }
        assertThat(recorder.missing).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void threeHundredStepsLeaveTheNumberOfManagedArraysAsItWas(String adapter) throws IOException {
        TrainingConfig config = TrainingConfig.builder().optBatchSize(1).optMaxSteps(300).build();
        int[] managed = new int[2];
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted =
                        Adapters.load(model.block(), OpenElm.DIRECTORY.resolve("dora"))) {
            TrainingObserver counter =
                    new TrainingObserver() {
                        @Override
                        public void onStep(TrainingStep step) {
                            if (step.step() == 10 || step.step() == 300) {
                                managed[step.step() / 300] =
                                        model.manager().getManagedArrays().size();
                            }
                        }
                    };
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    OpenElm.paddedBatch(),
                    List.of(),
                    config,
                    output,
                    counter);
        }
        assertThat(managed[0]).isPositive().isEqualTo(managed[1]);
    }
}
