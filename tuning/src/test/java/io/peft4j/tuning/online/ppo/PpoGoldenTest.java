package io.peft4j.tuning.online.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.models.GenerationConfig;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionScores;
import io.peft4j.tuning.online.GivenRollouts;
import io.peft4j.tuning.online.OnlineModel;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Rollout;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A whole step of the tiny LLaMA with two adapters, given the same answers, beside PyTorch and
 * PEFT: two epochs of two mini-batches with AdamW.
 */
class PpoGoldenTest {

    // Adam turns the rounding of gradients near its eps into steps
    private static final float ADAPTER = 2e-4f;

    @TempDir Path output;
    private final List<TrainingStep> steps = new ArrayList<>();

    static Stream<Arguments> runs() throws IOException {
        return PpoGoldens.list("runs.json").stream()
                .flatMap(
                        run ->
                                Stream.of(1, 2, 5)
                                        .map(
                                                batch ->
                                                        Arguments.of(
                                                                run.get("name").getAsString(),
                                                                batch,
                                                                batch != 2,
                                                                run)));
    }

    private static TrainingConfig training(JsonObject run, int batch) {
        JsonObject settings = run.getAsJsonObject("settings");
        return TrainingConfig.builder()
                .optBatchSize(batch)
                .optGradientAccumulation((5 + batch - 1) / batch)
                .optEpochs(1)
                .optLearningRate(PpoGoldens.number(settings, "learning_rate"))
                .optSchedule(Schedule.CONSTANT)
                .optMaxGradNorm(PpoGoldens.number(settings, "max_grad_norm"))
                .optWeightDecay(0)
                .optShuffle(false)
                .build();
    }

    @ParameterizedTest(name = "{0}, micro-batches of {1}, by kernels {2}")
    @MethodSource("runs")
    void adaptersAndNumbersAreTheGoldens(String name, int batch, boolean kernels, JsonObject run)
            throws IOException {
        JsonObject settings = run.getAsJsonObject("settings");
        double temperature = PpoGoldens.number(settings, "temperature");
        PpoConfig ppo =
                PpoGoldens.config(run)
                        .optGeneration(
                                GenerationConfig.builder().optTemperature(temperature).build())
                        .optEpochs(settings.get("num_ppo_epochs").getAsInt())
                        .optMiniBatches(settings.get("num_mini_batches").getAsInt())
                        .build();
        List<Completion> answers = answers();
        try (OnlineModel model = OnlineModel.trained("lora")) {
            model.model().useLayerKernels(kernels);
            model.model().addScoreHead(1);
            model.adapted().load(ValueAdapter.NAME, TestData.path("ppo/value"));
            try (Reference reference = Reference.of(model.adapted(), Optional.empty())) {
                PpoTask task =
                        new PpoTask(
                                answers.stream().map(Completion::prompt).toList(),
                                List.of(),
                                ppo,
                                training(run, batch),
                                new PpoTask.Source(
                                        (language, step, prompts, before) ->
                                                given(language, answers, reference, temperature),
                                        (language, step, prompts, before) -> {
                                            throw new AssertionError("nothing is held out");
                                        },
                                        Map.of()),
                                reference,
                                Role.adapter(model.adapted(), ValueAdapter.NAME));
                PpoTrainer.train(
                        LanguageModel.of(model.model()),
                        new AdapterTrainable(model.adapted()),
                        task,
                        training(run, batch),
                        output,
                        new TrainingObserver() {
                            @Override
                            public void onStep(TrainingStep step) {
                                steps.add(step);
                            }
                        });
            }
            assertThat(model.model().wasByLayerKernels()).isEqualTo(kernels);
        }
        assertThat(steps).hasSize(1);
        assertNumbers(run.getAsJsonObject("log"), steps.get(0));
        assertAdapter(name, output);
        assertAdapter(name + "-value", output.resolve("value"));
    }

    private static List<Completion> answers() throws IOException {
        List<Completion> answers = new ArrayList<>();
        for (JsonObject row : PpoGoldens.list("rows.json")) {
            Prompt prompt = new Prompt(longs(row, "prompt_ids"), "", row);
            boolean ended = row.get("ended").getAsBoolean();
            answers.add(new Completion(prompt, longs(row, "answer_ids"), "", ended));
        }
        return answers;
    }

    private static long[] longs(JsonObject row, String key) {
        return Arrays.stream(PpoGoldens.doubles(row.get(key))).mapToLong(x -> (long) x).toArray();
    }

    private static Rollout given(
            LanguageModel model,
            List<Completion> answers,
            Reference reference,
            double temperature) {
        CompletionScores policy = CompletionScores.of(model, answers, temperature, 3, () -> {});
        try (AdapterScope scope = reference.role().enter()) {
            return GivenRollouts.of(
                    answers,
                    1,
                    answers.stream()
                            .mapToDouble(one -> PpoGoldens.number(one.prompt().row(), "score"))
                            .toArray(),
                    policy,
                    CompletionScores.of(model, answers, temperature, 3, () -> {}),
                    Map.of());
        }
    }

    private static void assertNumbers(JsonObject log, TrainingStep step) {
        assertThat(step.loss()).isCloseTo(PpoGoldens.number(log, "loss"), within(2e-4));
        double norm = PpoGoldens.number(log, "grad_norm");
        assertThat(step.gradientNorm()).isCloseTo(norm, within(1e-3 * norm));
        for (String key : log.keySet()) {
            if (!key.equals("loss") && !key.equals("grad_norm")) {
                double expected = PpoGoldens.number(log, key);
                assertThat(step.metrics().get(key))
                        .as(key)
                        .isCloseTo(expected, within(1e-3 * Math.max(1, Math.abs(expected))));
            }
        }
    }

    private static void assertAdapter(String name, Path directory) throws IOException {
        try (SafetensorsFile golden =
                        SafetensorsFile.open(TestData.path("ppo/" + name + ".safetensors"));
                SafetensorsFile saved =
                        SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            assertThat(saved.names()).hasSameElementsAs(golden.names());
            for (String tensor : saved.names()) {
                float[] expected = golden.toFloats(tensor);
                float[] values = saved.toFloats(tensor);
                for (int i = 0; i < expected.length; i++) {
                    assertThat(values[i])
                            .as("%s[%d]", tensor, i)
                            .isCloseTo(expected[i], within(ADAPTER));
                }
            }
        }
    }
}
