package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.Dtype;
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
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * DPO on a base in bfloat16, on the CPU, beside the same in float32: twelve steps in which the
 * margins grow to 2 or so. The adapter, its gradients and the loss are float32 in both. What was
 * measured at most is a half of each tolerance or more.
 */
class BFloat16DpoTest {

    private static final int STEPS = 12;

    /** Of the loss, or of 1 if it is smaller. Measured: 0.014, of IPO. */
    private static final double LOSS = 0.03;

    /** Measured: 2.5. */
    private static final double GRADIENT_PERCENT = 5;

    /**
     * Of rewards and margins, which are β = 0.1 times a sum over an answer's tokens. Measured:
     * 0.016.
     */
    private static final double REWARD = 0.03;

    /** Of sums over an answer's tokens, which are −60 to −28. Measured: 0.09. */
    private static final double LOG_PROBABILITY = 0.2;

    @TempDir Path directory;

    private record Run(List<TrainingStep> steps, EvaluationResult held) {}

    @ParameterizedTest
    @CsvSource({
        "lora,sigmoid",
        "dora,sigmoid",
        "fresh,sigmoid",
        "fresh-dora,ipo",
        "lora,ipo",
        "dora,apo_zero"
    })
    void everyStepIsNearThatOfFloat32(String start, String loss) throws IOException {
        Run exact = run(start, loss, Dtype.F32);
        Run half = run(start, loss, Dtype.BF16);
        double most = 0;
        for (int i = 0; i < STEPS; i++) {
            TrainingStep expected = exact.steps().get(i);
            TrainingStep step = half.steps().get(i);
            assertThat(step.loss())
                    .isCloseTo(expected.loss(), within(LOSS * Math.max(1, expected.loss())));
            assertThat(step.gradientNorm())
                    .isCloseTo(expected.gradientNorm(), withinPercentage(GRADIENT_PERCENT));
            most = Math.max(most, expectNear(step.metrics(), expected.metrics()));
        }
        double unused = expectNear(half.held().metrics(), exact.held().metrics());
        assertThat(half.held().metrics().get("rewards/accuracies")).isEqualTo(1);
        assertThat(most).as("else it was float32 after all").isGreaterThan(1e-3);
    }

    /** Returns by how much the log-probabilities differ. */
    private static double expectNear(Map<String, Double> metrics, Map<String, Double> expected) {
        for (String name : List.of("rewards/chosen", "rewards/rejected", "rewards/margins")) {
            assertThat(metrics.get(name)).as(name).isCloseTo(expected.get(name), within(REWARD));
        }
        double most = 0;
        for (String name : List.of("logps/chosen", "logps/rejected")) {
            double found = metrics.get(name);
            assertThat(found).as(name).isCloseTo(expected.get(name), within(LOG_PROBABILITY));
            most = Math.max(most, Math.abs(found - expected.get(name)));
        }
        return most;
    }

    private Run run(String start, String loss, Dtype type) throws IOException {
        List<TrainingStep> steps = new ArrayList<>();
        List<EvaluationResult> held = new ArrayList<>();
        List<PreferencePair> pairs = DpoGoldens.pairs();
        try (CausalLm model = CausalLm.load(DpoGoldens.LLAMA.resolve("model"), Device.cpu(), type);
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start(start))) {
            DpoTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    pairs,
                    pairs,
                    DpoConfig.builder().optLossTypes(List.of(LossType.ofTrlName(loss))).build(),
                    TrainingConfig.builder()
                            .optBatchSize(4)
                            .optMaxSteps(STEPS)
                            .optLearningRate(2e-3)
                            .optSchedule(Schedule.CONSTANT)
                            .build(),
                    directory.resolve(type + start),
                    new TrainingObserver() {
                        @Override
                        public void onStep(TrainingStep step) {
                            steps.add(step);
                        }

                        @Override
                        public void onEvaluation(int step, EvaluationResult result, boolean best) {
                            held.add(result);
                        }
                    });
            assertThat(model.wasByLayerKernels()).isTrue();
        }
        return new Run(steps, held.get(0));
    }
}
