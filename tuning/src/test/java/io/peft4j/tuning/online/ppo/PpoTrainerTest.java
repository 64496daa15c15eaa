package io.peft4j.tuning.online.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.GenerationConfig;
import io.peft4j.torch.GradMode;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import io.peft4j.tuning.online.OnlineModel;
import io.peft4j.tuning.online.Reward;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** PPO's four roles on one base, and what a resume must get right. */
class PpoTrainerTest {

    private static final int STEPS = 4;

    @TempDir Path directory;
    private final List<EvaluationResult> evaluations = new ArrayList<>();

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder()
                .optBatchSize(2)
                .optGradientAccumulation(2)
                .optMaxSteps(STEPS)
                .optLearningRate(5e-3);
    }

    private static PpoConfig.Builder ppo() {
        return PpoConfig.builder()
                .optGeneration(
                        GenerationConfig.builder().optMaxNewTokens(6).optTemperature(0.9).build())
                .optEpochs(2)
                .optMiniBatches(2);
    }

    private void train(
            OnlineModel model,
            PpoConfig ppo,
            TrainingConfig config,
            Path output,
            Consumer<TrainingStep> onStep)
            throws IOException {
        PpoTrainer.train(
                model.model(),
                model.tokenizer(),
                new AdapterTrainable(model.adapted()),
                model.prompts(),
                model.prompts("3+3=", "One, two,"),
                OnlineModel.REWARDS,
                ppo,
                config,
                output,
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        onStep.accept(step);
                    }

                    @Override
                    public void onEvaluation(int step, EvaluationResult result, boolean best) {
                        evaluations.add(result);
                    }
                });
    }

    private static OnlineModel withValue(String start) throws IOException {
        OnlineModel model = OnlineModel.trained(start);
        ValueAdapter.fresh(model.model(), model.adapted(), 5);
        return model;
    }

    private static Map<String, float[]> values(Adapter adapter) {
        Map<String, float[]> values = new LinkedHashMap<>();
        adapter.parameters().forEach((name, p) -> values.put(name, p.getArray().toFloatArray()));
        return values;
    }

    private static void assertEqual(Map<String, float[]> actual, Map<String, float[]> expected) {
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        actual.forEach((name, own) -> assertThat(own).as(name).isEqualTo(expected.get(name)));
    }

    private static void assertAllMoved(Map<String, float[]> actual, Map<String, float[]> before) {
        actual.forEach((name, own) -> assertThat(own).as(name).isNotEqualTo(before.get(name)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void policyAndValueAreTrainedAndTheReferenceAndTheBaseNeverMove(String start)
            throws IOException {
        List<TrainingStep> steps = new ArrayList<>();
        try (OnlineModel model = withValue(start)) {
            AdaptedModel adapted = model.adapted();
            String base = adapted.baseFingerprint();
            Map<String, float[]> policy = values(adapted.adapter());
            Map<String, float[]> value = values(adapted.adapter(ValueAdapter.NAME));
            train(
                    model,
                    ppo().build(),
                    config().build(),
                    directory,
                    step -> {
                        steps.add(step);
                        assertEqual(values(adapted.adapter(Reference.NAME)), policy);
                        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
                    });
            assertAllMoved(values(adapted.adapter()), policy);
            assertAllMoved(values(adapted.adapter(ValueAdapter.NAME)), value);
            assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT, ValueAdapter.NAME);
            assertThat(adapted.baseFingerprint()).isEqualTo(base);
            assertThat(model.model().wasByLayerKernels()).isTrue();
        }
        assertThat(steps).hasSize(STEPS);
        assertThat(steps.get(0).metrics().get("objective/kl")).isCloseTo(0, within(1e-4));
        assertThat(steps.get(STEPS - 1).metrics().get("objective/kl"))
                .isNotCloseTo(0, within(1e-3));
        assertThat(evaluations).hasSize(1);
        assertThat(evaluations.get(0).loss())
                .isCloseTo(-evaluations.get(0).metrics().get("reward"), within(1e-9));
    }

    @Test
    void theReferenceOfANewAdapterIsTheBaseModel() throws IOException {
        LoraConfig lora =
                LoraConfig.builder().setRank(4).setTargetModules("q_proj", "down_proj").build();
        try (OnlineModel model = OnlineModel.fresh(lora)) {
            ValueAdapter.fresh(model.model(), model.adapted(), 5);
            train(
                    model,
                    ppo().build(),
                    config().optMaxSteps(1).build(),
                    directory,
                    step ->
                            assertThat(model.adapted().names())
                                    .containsExactly(AdaptedModel.DEFAULT, ValueAdapter.NAME));
        }
    }

    @Test
    void theReferenceFollowsThePolicyIfItIsToldTo() throws IOException {
        try (OnlineModel model = withValue("lora")) {
            Adapter policy = model.adapted().adapter();
            Map<String, float[]> expected = values(policy);
            train(
                    model,
                    ppo().optSync(new ReferenceSync(0.3, 2)).build(),
                    config().build(),
                    directory,
                    step -> {
                        if (step.step() % 2 == 0) {
                            values(policy).forEach((name, v) -> mix(expected.get(name), v));
                        }
                        values(model.adapted().adapter(Reference.NAME))
                                .forEach(
                                        (name, v) ->
                                                assertThat(v)
                                                        .as(name)
                                                        .usingComparatorWithPrecision(1e-6f)
                                                        .containsExactly(expected.get(name)));
                    });
        }
    }

    private static void mix(float[] reference, float[] policy) {
        for (int i = 0; i < reference.length; i++) {
            reference[i] = 0.3f * policy[i] + 0.7f * reference[i];
        }
    }

    @Test
    void theResultIsThePolicyWithTheValueFunctionBelow() throws IOException {
        Map<String, float[]> policy;
        Map<String, float[]> value;
        try (OnlineModel model = withValue("lora")) {
            train(model, ppo().build(), config().build(), directory, step -> {});
            policy = values(model.adapted().adapter());
            value = values(model.adapted().adapter(ValueAdapter.NAME));
        }
        try (OnlineModel model = OnlineModel.trained("lora")) {
            model.adapted().hotswap(AdaptedModel.DEFAULT, directory);
            assertEqual(values(model.adapted().adapter()), policy);
            model.model().addScoreHead(1);
            assertEqual(
                    values(model.adapted().load(ValueAdapter.NAME, directory.resolve("value"))),
                    value);
            assertThat(value.keySet()).anyMatch(name -> name.contains("score"));
        }
        Provenance provenance = Provenance.read(directory).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("ppo");
        assertThat(provenance.get("training.kl_coef")).contains("0.05");
        assertThat(provenance.get("training.temperature")).contains("0.9");
        assertThat(provenance.get("training.rewards")).contains("letters*1.0");
        assertThat(Adapters.readConfig(directory.resolve("value")).toPeft().string("task_type"))
                .contains("SEQ_CLS");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anInterruptedTrainingGoesOnBitForBit(boolean moving) throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        PpoConfig ppo = moving ? ppo().optSync(new ReferenceSync(0.5, 1)).build() : ppo().build();
        run(ppo, whole, step -> {});
        assertThatThrownBy(
                        () ->
                                run(
                                        ppo,
                                        stopped,
                                        step -> {
                                            if (step.step() == 3) {
                                                Thread.currentThread().interrupt();
                                            }
                                        }))
                .isInstanceOf(TrainingInterruptedException.class);
        assertThat(Thread.interrupted()).isTrue();
        List<TrainingStep> steps = new ArrayList<>();
        run(ppo, stopped, steps::add);
        assertThat(steps).hasSize(STEPS - 3);
        for (String file :
                List.of("adapter_model.safetensors", "value/adapter_model.safetensors")) {
            assertThat(Files.readAllBytes(stopped.resolve(file)))
                    .as(file)
                    .isEqualTo(Files.readAllBytes(whole.resolve(file)));
        }
        assertThat(withoutSpeed(stopped)).isEqualTo(withoutSpeed(whole));
    }

    private void run(PpoConfig ppo, Path output, Consumer<TrainingStep> onStep) throws IOException {
        try (OnlineModel model = withValue("lora")) {
            train(
                    model,
                    ppo,
                    config().optSaveSteps(2).optEvalSteps(2).optResume(true).build(),
                    output,
                    onStep);
        }
    }

    private static List<String> withoutSpeed(Path output) throws IOException {
        return Files.readAllLines(output.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll("\"tokens_per_second\":[^,}]*", ""))
                .toList();
    }

    @Test
    void aRunWithOtherSettingsIsNotResumed() throws IOException {
        run(ppo().build(), directory, step -> {});
        assertThatThrownBy(() -> run(ppo().optKlCoef(0.1).build(), directory, step -> {}))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("kl_coef was 0.05, now it is 0.1");
    }

    @Test
    void anInterruptWithinASamplingEndsTheStep() throws IOException {
        try (OnlineModel model = withValue("lora")) {
            Reward interrupting =
                    new Reward(
                            "interrupting",
                            answers -> {
                                Thread.currentThread().interrupt();
                                return new double[answers.size()];
                            });
            assertThatThrownBy(
                            () ->
                                    PpoTrainer.train(
                                            model.model(),
                                            model.tokenizer(),
                                            new AdapterTrainable(model.adapted()),
                                            model.prompts(),
                                            List.of(),
                                            List.of(interrupting),
                                            ppo().build(),
                                            config().build(),
                                            directory))
                    .isInstanceOf(TrainingInterruptedException.class);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(model.adapted().active()).containsExactly(AdaptedModel.DEFAULT);
            assertThat(model.adapted().names()).doesNotContain(Reference.NAME);
        }
    }

    @Test
    void neitherStepsNorTrainingsLeaveArraysBehind() throws IOException {
        List<Integer> afterTrainings = new ArrayList<>();
        try (OnlineModel model = withValue("dora")) {
            for (String output : List.of("first", "second", "third")) {
                List<Integer> afterSteps = new ArrayList<>();
                train(
                        model,
                        ppo().optSync(new ReferenceSync(0.6, 1)).build(),
                        config().optMaxSteps(6).build(),
                        directory.resolve(output),
                        step -> afterSteps.add(managed(model)));
                assertThat(afterSteps.subList(3, 6)).containsOnly(afterSteps.get(2));
                afterTrainings.add(managed(model));
            }
        }
        assertThat(afterTrainings.get(2)).isEqualTo(afterTrainings.get(1));
    }

    private static int managed(OnlineModel model) {
        return ((BaseNDManager) model.model().manager()).getManagedArrays().size();
    }

    @Test
    void nothingIsDropped() throws IOException {
        List<Map<String, float[]>> results = new ArrayList<>();
        for (double dropout : new double[] {0, 0.5}) {
            DoraConfig dora =
                    DoraConfig.builder()
                            .setRank(4)
                            .optDropout(dropout)
                            .setTargetModules("q_proj", "down_proj")
                            .build();
            try (OnlineModel model = OnlineModel.fresh(dora)) {
                ValueAdapter.fresh(model.model(), model.adapted(), 5);
                train(
                        model,
                        ppo().build(),
                        config().optMaxSteps(2).build(),
                        directory.resolve("dropout" + dropout),
                        step -> {});
                results.add(values(model.adapted().adapter()));
                results.add(values(model.adapted().adapter(ValueAdapter.NAME)));
            }
        }
        assertEqual(results.get(2), results.get(0));
        assertEqual(results.get(3), results.get(1));
    }

    @Test
    void anAnswerThatWasCutScoresLess() throws IOException {
        List<Double> scores = new ArrayList<>();
        for (PpoConfig ppo : List.of(ppo().build(), ppo().optMissingEosPenalty(10).build())) {
            try (OnlineModel model = withValue("lora")) {
                train(
                        model,
                        ppo,
                        config().optMaxSteps(1).build(),
                        directory.resolve("scores" + scores.size()),
                        step -> {
                            Map<String, Double> seen = step.metrics();
                            scores.add(Objects.requireNonNull(seen.get("objective/scores")));
                            scores.add(Objects.requireNonNull(seen.get("val/num_eos_tokens")));
                        });
            }
        }
        double cut = 4 - scores.get(1);
        assertThat(cut).isPositive();
        assertThat(scores.get(0) - scores.get(2)).isCloseTo(10 * cut / 4, within(1e-9));
    }

    @Test
    void aValueFunctionBeginsAsTheRewardModelItIsACopyOf() throws IOException {
        try (OnlineModel model = OnlineModel.trained("lora");
                GradMode off = GradMode.disabled()) {
            Adapter reward = ValueAdapter.fresh(model.model(), model.adapted(), 5);
            NDArray one = reward.parameters().values().iterator().next().getArray();
            one.addi(1);
            reward.save(directory);
            model.adapted().delete(ValueAdapter.NAME);
            model.adapted().load("reward", directory);
            Adapter value = ValueAdapter.copyOf(model.adapted(), "reward");
            assertThat(value.name()).isEqualTo(ValueAdapter.NAME);
            assertEqual(values(value), values(model.adapted().adapter("reward")));
            assertThatThrownBy(() -> ValueAdapter.copyOf(model.adapted(), AdaptedModel.DEFAULT))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("score head");
        }
    }

    @Test
    void aModelWithoutAValueFunctionIsRefused() throws IOException {
        try (OnlineModel model = OnlineModel.trained("lora")) {
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            ppo().build(),
                                            config().build(),
                                            directory,
                                            step -> {}))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("\"value\" beside the policy, found [default]");
        }
    }

    @Test
    void theValueFunctionIsNoPolicy() throws IOException {
        try (OnlineModel model = withValue("lora")) {
            model.adapted().activate(ValueAdapter.NAME);
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            ppo().build(),
                                            config().build(),
                                            directory,
                                            step -> {}))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("expected another active adapter than \"value\"");
        }
    }

    @Test
    void anEpochTakesEveryAnswerOnceInPartsOfLikeSizes() {
        List<int[]> parts = MiniBatches.of(new int[] {4, 2, 0, 1, 3}, 2);
        assertThat(parts).hasSize(2);
        assertThat(parts.get(0)).containsExactly(4, 2);
        assertThat(parts.get(1)).containsExactly(0, 1, 3);
        assertThat(MiniBatches.of(new int[] {1, 0}, 3)).hasSize(2);
    }
}
