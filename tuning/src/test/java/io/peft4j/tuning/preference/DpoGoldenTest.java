package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Schedule;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Five steps of TRL's DPOTrainer on the tiny LLaMA, and what it logged of them. */
class DpoGoldenTest {

    // Adam turns the rounding of gradients near its eps into steps
    private static final float ADAPTER = 2e-4f;

    private static final List<String> OVER_TOKENS =
            List.of("logits/chosen", "logits/rejected", "entropy", "mean_token_accuracy");

    @TempDir Path output;
    private final List<TrainingStep> steps = new ArrayList<>();
    private final List<EvaluationResult> evaluations = new ArrayList<>();

    static Stream<Arguments> runs() throws IOException {
        return DpoGoldens.list("runs.json").stream()
                .flatMap(
                        run ->
                                Stream.of(true, false)
                                        .map(
                                                kernels ->
                                                        Arguments.of(
                                                                run.get("name").getAsString(),
                                                                kernels,
                                                                run)));
    }

    private static TrainingConfig config(JsonObject run) {
        return TrainingConfig.builder()
                .optBatchSize(run.get("batch").getAsInt())
                .optGradientAccumulation(run.get("accumulation").getAsInt())
                .optMaxSteps(run.get("steps").getAsInt())
                .optEpochs(1)
                .optLearningRate(run.get("learning_rate").getAsDouble())
                .optSchedule(Schedule.CONSTANT)
                .optMaxGradNorm(run.get("max_grad_norm").getAsDouble())
                .optWeightDecay(run.get("weight_decay").getAsDouble())
                .optShuffle(false)
                .build();
    }

    private static DpoConfig dpo(JsonObject run) {
        return DpoConfig.builder()
                .optBeta(run.get("beta").getAsDouble())
                .optLossTypes(List.of(LossType.ofTrlName(run.get("loss_type").getAsString())))
                .optLabelSmoothing(run.get("label_smoothing").getAsDouble())
                .optPrecomputeReferenceLogProbs(run.get("precompute").getAsBoolean())
                .build();
    }

    @ParameterizedTest(name = "{0}, by kernels {1}")
    @MethodSource("runs")
    void stepsAndNumbersAreTrls(String name, boolean kernels, JsonObject run) throws IOException {
        List<PreferencePair> pairs = DpoGoldens.pairs();
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted =
                        Adapters.load(
                                model.block(), DpoGoldens.start(run.get("start").getAsString()))) {
            model.useLayerKernels(kernels);
            DpoTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    rows(run, pairs),
                    pairs.subList(0, 5),
                    dpo(run),
                    config(run),
                    output,
                    new TrainingObserver() {
                        @Override
                        public void onStep(TrainingStep step) {
                            steps.add(step);
                        }

                        @Override
                        public void onEvaluation(int step, EvaluationResult result, boolean best) {
                            evaluations.add(result);
                        }
                    });
            assertThat(model.wasByLayerKernels()).isEqualTo(kernels);
        }
        JsonArray log = run.getAsJsonArray("log");
        for (int i = 0; i < steps.size(); i++) {
            expectNumbers(run, log.get(i).getAsJsonObject(), steps.get(i));
        }
        JsonObject last = log.get(log.size() - 1).getAsJsonObject();
        EvaluationResult held = evaluations.get(0);
        assertThat(held.loss()).isCloseTo(last.get("eval_loss").getAsDouble(), within(1e-4));
        assertThat(held.metrics()).containsKeys(OVER_TOKENS.toArray(new String[0]));
        assertThat(held.metrics().get("num_tokens"))
                .isEqualTo(last.get("eval_num_tokens").getAsDouble());
        expectMetrics(last, "eval_", held.metrics(), 1e-4);
        try (SafetensorsFile golden =
                        SafetensorsFile.open(TestData.path("dpo/" + name + ".safetensors"));
                SafetensorsFile saved =
                        SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
            assertThat(saved.names()).hasSameSizeAs(golden.names());
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

    /** As many rows as the steps take, so that no epoch ends within. */
    private static List<PreferencePair> rows(JsonObject run, List<PreferencePair> pairs) {
        int perStep = run.get("batch").getAsInt() * run.get("accumulation").getAsInt();
        List<PreferencePair> rows = new ArrayList<>();
        for (int i = 0; i < perStep * run.get("steps").getAsInt(); i++) {
            rows.add(pairs.get(i % pairs.size()));
        }
        return rows;
    }

    private static void expectNumbers(JsonObject run, JsonObject logged, TrainingStep step) {
        double tolerance = step.step() == 1 ? 1e-5 : 1e-4;
        assertThat(step.loss()).isCloseTo(logged.get("loss").getAsDouble(), within(tolerance));
        assertThat(step.gradientNorm())
                .isCloseTo(
                        logged.get("grad_norm").getAsDouble(),
                        within(10 * tolerance * Math.max(1, step.gradientNorm())));
        assertThat(step.metrics().get("num_tokens"))
                .isEqualTo(logged.get("num_tokens").getAsDouble());
        Map<String, Double> metrics = new LinkedHashMap<>(step.metrics());
        if (step.step() == 1) { // policy and reference are the same: rounding decides
            assertThat(metrics.remove("rewards/accuracies")).isBetween(0.0, 1.0);
        }
        if (run.get("accumulation").getAsInt() > 1) {
            // TRL averages the means of batches, which have different numbers of tokens
            metrics.keySet().removeAll(OVER_TOKENS);
        }
        expectMetrics(logged, "", metrics, tolerance);
    }

    private static void expectMetrics(
            JsonObject logged, String prefix, Map<String, Double> metrics, double tolerance) {
        assertThat(metrics).containsKeys("rewards/margins", "logps/chosen");
        metrics.forEach(
                (name, value) -> {
                    double expected = logged.get(prefix + name).getAsDouble();
                    double size = Math.max(1, Math.abs(expected));
                    assertThat(value)
                            .as(prefix + name)
                            .isCloseTo(expected, within(tolerance * size));
                });
    }
}
