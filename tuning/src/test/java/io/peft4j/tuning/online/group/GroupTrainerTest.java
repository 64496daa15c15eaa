package io.peft4j.tuning.online.group;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.BaseNDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Provenance;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import io.peft4j.tuning.online.OnlineModel;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.online.judges.FinalAnswer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What rises, what moves and what does not, and what a resume must get right. */
class GroupTrainerTest {

    private static final int STEPS = 5;
    private static final String[] HELD_OUT = {
        "One, two,", "x", "Say yes: ", "Ende gut, ", "3+4=", "Where?", "(a) ", "The sea is", "b c d"
    };
    private static final GenerationConfig SAMPLING =
            GenerationConfig.builder().optMaxNewTokens(5).optTemperature(0.9).build();
    private static final List<Reward> EQUAL =
            List.of(new Reward("equal", RewardFunction.each(one -> 0.1)));

    @TempDir Path directory;

    /** What a training tells, while it goes on. */
    private static final class Seen implements TrainingObserver {

        final List<TrainingStep> steps = new ArrayList<>();
        final List<EvaluationResult> evaluations = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();
        private final Consumer<TrainingStep> onStep;

        Seen(Consumer<TrainingStep> onStep) {
            this.onStep = onStep;
        }

        @Override
        public void onStep(TrainingStep step) {
            steps.add(step);
            onStep.accept(step);
        }

        @Override
        public void onEvaluation(int step, EvaluationResult result, boolean best) {
            evaluations.add(result);
        }

        @Override
        public void onWarning(String text) {
            warnings.add(text);
        }
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder()
                .optBatchSize(1)
                .optGradientAccumulation(2)
                .optMaxSteps(STEPS)
                .optWeightDecay(0)
                .optLearningRate(5e-3);
    }

    private static AdapterConfig adapter(String method, double dropout) {
        String[] targets = {"q_proj", "v_proj", "down_proj"};
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(4)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build()
                : DoraConfig.builder()
                        .setRank(4)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build();
    }

    private static GrpoConfig.Builder grpo() {
        return GrpoConfig.builder().optNumGenerations(4).optGeneration(SAMPLING);
    }

    private static RlooConfig.Builder rloo() {
        return RlooConfig.builder().optNumGenerations(4).optGeneration(SAMPLING);
    }

    private static GroupConfig group(String algorithm) {
        return algorithm.equals("grpo")
                ? grpo().optBeta(0.05).optNumIterations(2).build()
                : rloo().build();
    }

    private static TrainingResult train(
            OnlineModel model,
            GroupConfig group,
            List<Reward> rewards,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        AdapterTrainable policy = new AdapterTrainable(model.adapted());
        List<Prompt> prompts = model.prompts();
        List<Prompt> heldOut = model.prompts(HELD_OUT);
        return group instanceof GrpoConfig grpo
                ? GrpoTrainer.train(
                        model.model(),
                        model.tokenizer(),
                        policy,
                        prompts,
                        heldOut,
                        rewards,
                        grpo,
                        config,
                        output,
                        observers)
                : RlooTrainer.train(
                        model.model(),
                        model.tokenizer(),
                        policy,
                        prompts,
                        heldOut,
                        rewards,
                        (RlooConfig) group,
                        config,
                        output,
                        observers);
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

    @ParameterizedTest
    @ValueSource(strings = {"grpo", "rloo"})
    void theRewardOfHeldOutPromptsRises(String algorithm) throws IOException {
        Seen seen = new Seen(step -> {});
        GroupConfig learning =
                algorithm.equals("grpo")
                        ? grpo().optNumGenerations(8).optEvalGeneration(SAMPLING).build()
                        : rloo().optNumGenerations(8)
                                .optBeta(0.005)
                                .optEvalGeneration(SAMPLING)
                                .build();
        try (OnlineModel model = OnlineModel.fresh(adapter("lora", 0))) {
            train(
                    model,
                    learning,
                    OnlineModel.REWARDS,
                    config().optMaxSteps(40).optLearningRate(2e-2).optEvalSteps(1).build(),
                    directory,
                    seen);
        }
        double first = seen.evaluations.get(0).metrics().get("reward");
        double last = seen.evaluations.get(39).metrics().get("reward");
        assertThat(last).isGreaterThan(first + 0.3);
        assertThat(seen.steps.get(39).metrics().get("reward"))
                .isGreaterThan(seen.steps.get(0).metrics().get("reward") + 0.3);
        assertThat(seen.evaluations.get(39).loss()).isCloseTo(-last, within(1e-12));
        assertThat(Files.readString(directory.resolve("metrics.jsonl")))
                .contains("\"eval_reward\":", "\"eval_rewards/letters/mean\":", "\"reward_std\":")
                .contains("\"completions/mean_length\":", "\"clip_ratio/high_max\":");
        Provenance provenance = Provenance.read(directory).orElseThrow();
        assertThat(provenance.get("training.kind")).contains(algorithm);
        assertThat(provenance.get("training.rewards")).contains("letters*1.0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"grpo", "rloo"})
    void withoutClippingTheFirstUpdateHasARatioOfOneWhateverTheDropout(String algorithm)
            throws IOException {
        for (String name : List.of("with", "without")) {
            Seen seen = new Seen(step -> {});
            try (OnlineModel model =
                    OnlineModel.fresh(adapter("dora", name.equals("with") ? 0.5 : 0))) {
                GroupConfig tight =
                        algorithm.equals("grpo")
                                ? grpo().optEpsilon(0).optBeta(0.1).build()
                                : rloo().optEpsilon(0).build();
                Path output = directory.resolve(name);
                train(model, tight, OnlineModel.REWARDS, config().build(), output, seen);
            }
            assertThat(seen.steps)
                    .allMatch(step -> step.metrics().get("clip_ratio/region_mean") == 0);
            assertThat(seen.steps.get(0).metrics().get("kl")).isCloseTo(0, within(1e-5));
            assertThat(seen.steps.get(STEPS - 1).metrics().get("kl")).isNotCloseTo(0, within(1e-5));
        }
        assertThat(Files.readAllBytes(directory.resolve("with/adapter_model.safetensors")))
                .isEqualTo(
                        Files.readAllBytes(directory.resolve("without/adapter_model.safetensors")));
    }

    @Test
    void moreIterationsMoveRatiosAwayFromOne() throws IOException {
        Seen seen = new Seen(step -> {});
        try (OnlineModel model = OnlineModel.fresh(adapter("lora", 0))) {
            GroupConfig several = grpo().optNumIterations(3).optEpsilon(1e-3).build();
            train(model, several, OnlineModel.REWARDS, config().build(), directory, seen);
        }
        // of three updates, the first has ratios of one
        assertThat(seen.steps.get(2).metrics().get("clip_ratio/region_mean"))
                .isBetween(0.05, 0.667);
    }

    @ParameterizedTest
    @ValueSource(strings = {"grpo", "rloo"})
    void equalRewardsMoveNothing(String algorithm) throws IOException {
        Seen seen = new Seen(step -> {});
        try (OnlineModel model = OnlineModel.trained("lora")) {
            Map<String, float[]> before = values(model.adapted().adapter());
            GroupConfig without =
                    algorithm.equals("grpo")
                            ? grpo().build()
                            : rloo().optBeta(0).optNormalizeAdvantages(true).build();
            TrainingConfig decaying = config().optWeightDecay(0.1).build();
            train(model, without, EQUAL, decaying, directory.resolve("a"), seen);
            assertEqual(values(model.adapted().adapter()), before);
            assertThat(seen.steps).hasSize(STEPS);
            assertThat(seen.steps.get(0).metrics().get("frac_reward_zero_std")).isEqualTo(1);
            assertThat(seen.steps.get(0).metrics().get("reward")).isCloseTo(0.1, within(1e-12));
            assertThat(seen.warnings).isEmpty();
        }
    }

    @Test
    void withAKlTermEqualRewardsBringThePolicyBackToTheReference() throws IOException {
        Seen seen = new Seen(step -> {});
        ReferenceSync sync = new ReferenceSync(1e-9, 1);
        try (OnlineModel model = OnlineModel.trained("lora")) {
            // the reference is a copy, which the first rewards take the policy away from
            RewardFunction letters = OnlineModel.LETTERS;
            int[] calls = new int[1];
            List<Reward> ending =
                    List.of(
                            new Reward(
                                    "ending",
                                    all ->
                                            calls[0]++ < 8
                                                    ? letters.rewards(all)
                                                    : new double[all.size()]));
            train(
                    model,
                    grpo().optNumGenerations(16).optBeta(1).optReferenceSync(sync).build(),
                    ending,
                    config().optMaxSteps(60).optLearningRate(5e-3).build(),
                    directory,
                    seen);
        }
        assertThat(divergence(seen, 52)).isLessThan(divergence(seen, 8) / 2);
    }

    /** The mean over eight steps. */
    private static double divergence(Seen seen, int first) {
        return seen.steps.subList(first, first + 8).stream()
                .mapToDouble(step -> step.metrics().get("kl"))
                .average()
                .orElseThrow();
    }

    @Test
    void answersThatWereCutAreNotLearnedFromIfTheyAreMasked() throws IOException {
        Seen seen = new Seen(step -> {});
        GenerationConfig one = SAMPLING.toBuilder().optMaxNewTokens(1).optTemperature(0.3).build();
        try (OnlineModel model = OnlineModel.trained("lora")) {
            Map<String, float[]> before = values(model.adapted().adapter());
            GroupConfig masked =
                    grpo().optGeneration(one).optMaskTruncatedCompletions(true).build();
            train(model, masked, OnlineModel.REWARDS, config().build(), directory, seen);
            assertThat(seen.steps.get(0).metrics().get("completions/clipped_ratio")).isEqualTo(1);
            assertEqual(values(model.adapted().adapter()), before);
        }
        assertThat(seen.warnings)
                .contains(
                        "step 1: no answer ended within 1 tokens, and those that were cut are not"
                                + " learned from");
    }

    @ParameterizedTest
    @ValueSource(strings = {"grpo", "rloo"})
    void theReferenceOfATrainedAdapterIsACopyThatNeverMoves(String algorithm) throws IOException {
        try (OnlineModel model = OnlineModel.trained("dora")) {
            AdaptedModel adapted = model.adapted();
            Map<String, float[]> before = values(adapted.adapter());
            Seen seen =
                    new Seen(
                            step -> {
                                assertEqual(values(adapted.adapter(Reference.NAME)), before);
                                assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
                            });
            train(model, group(algorithm), OnlineModel.REWARDS, config().build(), directory, seen);
            assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
            assertThat(seen.steps).hasSize(STEPS);
            assertThat(values(adapted.adapter()).values())
                    .usingRecursiveComparison()
                    .isNotEqualTo(before.values());
        }
    }

    @Test
    void theReferenceFollowsThePolicyIfItIsToldTo() throws IOException {
        try (OnlineModel model = OnlineModel.fresh(adapter("dora", 0))) {
            AdaptedModel adapted = model.adapted();
            Map<String, float[]> expected = values(adapted.adapter());
            Seen seen =
                    new Seen(
                            step -> {
                                if (step.step() % 2 == 0) {
                                    values(adapted.adapter())
                                            .forEach((name, v) -> mix(expected.get(name), v));
                                }
                                values(adapted.adapter(Reference.NAME))
                                        .forEach(
                                                (name, v) ->
                                                        assertThat(v)
                                                                .as(name)
                                                                .usingComparatorWithPrecision(1e-6f)
                                                                .containsExactly(
                                                                        expected.get(name)));
                            });
            train(
                    model,
                    rloo().optReferenceSync(new ReferenceSync(0.3, 2)).build(),
                    OnlineModel.REWARDS,
                    config().build(),
                    directory,
                    seen);
            assertThat(seen.steps).hasSize(STEPS);
        }
    }

    private static void mix(float[] reference, float[] policy) {
        for (int i = 0; i < reference.length; i++) {
            reference[i] = 0.7f * reference[i] + 0.3f * policy[i];
        }
    }

    @ParameterizedTest
    @CsvSource({"grpo,lora,5,3", "rloo,dora,5,3", "rloo,lora,3,2"})
    void aRunThatWasCutInARolloutGivesTheBitsOfOneThatWasNot(
            String algorithm, String start, int call, int done) throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        run(algorithm, start, whole, OnlineModel.REWARDS);
        int[] judged = new int[1];
        List<Reward> stopping =
                List.of(
                        new Reward(
                                "letters",
                                all -> {
                                    // steps 1 and 2, an evaluation, which is followed by the
                                    // sampling of step 3, then steps 3 and 4
                                    if (++judged[0] == call) {
                                        Thread.currentThread().interrupt();
                                    }
                                    return OnlineModel.LETTERS.rewards(all);
                                }));
        assertThatThrownBy(() -> run(algorithm, start, stopped, stopping))
                .isInstanceOf(TrainingInterruptedException.class);
        assertThat(Thread.interrupted()).isTrue();
        assertThat(judged[0]).isEqualTo(call);
        Seen rest = run(algorithm, start, stopped, OnlineModel.REWARDS);
        assertThat(rest.steps).hasSize(STEPS - done);
        assertThat(Files.readAllBytes(stopped.resolve("adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(whole.resolve("adapter_model.safetensors")));
        assertThat(withoutSpeed(stopped)).isEqualTo(withoutSpeed(whole));
    }

    private Seen run(String algorithm, String start, Path output, List<Reward> rewards)
            throws IOException {
        Seen seen = new Seen(step -> {});
        TrainingConfig config = config().optSaveSteps(2).optEvalSteps(2).optResume(true).build();
        try (OnlineModel model = OnlineModel.trained(start)) {
            train(model, group(algorithm), rewards, config, output, seen);
        }
        return seen;
    }

    private static List<String> withoutSpeed(Path output) throws IOException {
        return Files.readAllLines(output.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll("\"tokens_per_second\":[^,}]*", ""))
                .toList();
    }

    @Test
    void aRunOfOtherRewardsOrSamplingIsNotResumed() throws IOException {
        run("grpo", "lora", directory, OnlineModel.REWARDS);
        List<Reward> heavier = List.of(new Reward("letters", OnlineModel.LETTERS, 2));
        assertThatThrownBy(() -> run("grpo", "lora", directory, heavier))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("rewards was letters*1.0, now it is letters*2.0");
    }

    @Test
    void theBestRewardIsPutBack() throws IOException {
        Seen seen = new Seen(step -> {});
        int[] evaluations = new int[1];
        List<Reward> peak =
                List.of(
                        new Reward(
                                "peak",
                                all -> {
                                    double[] letters = OnlineModel.LETTERS.rewards(all);
                                    if (all.size() == HELD_OUT.length) { // the held-out prompts
                                        double reward = ++evaluations[0] == 2 ? 1 : 0;
                                        Arrays.fill(letters, reward);
                                    }
                                    return letters;
                                }));
        List<Map<String, float[]>> after = new ArrayList<>();
        try (OnlineModel model = OnlineModel.fresh(adapter("lora", 0))) {
            TrainingResult result =
                    train(
                            model,
                            grpo().build(),
                            peak,
                            config().optEvalSteps(1).optRestoreBest(true).build(),
                            directory,
                            seen,
                            new Seen(step -> after.add(values(model.adapted().adapter()))));
            assertThat(result.bestStep()).hasValue(2);
            assertThat(result.bestLoss()).hasValue(-1);
            assertEqual(values(model.adapted().adapter()), after.get(1));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"grpo", "rloo"})
    void stepsLeaveNoArraysBehind(String algorithm) throws IOException {
        List<Integer> afterSteps = new ArrayList<>();
        try (OnlineModel model = OnlineModel.trained("dora")) {
            BaseNDManager manager = (BaseNDManager) model.model().manager();
            train(
                    model,
                    group(algorithm),
                    OnlineModel.REWARDS,
                    config().optMaxSteps(8).build(),
                    directory,
                    new Seen(step -> afterSteps.add(manager.getManagedArrays().size())));
        }
        assertThat(afterSteps.subList(3, 8)).containsOnly(afterSteps.get(2));
    }

    @Test
    void whatCannotBeIsRefusedBeforeAnyStep() throws IOException {
        try (OnlineModel model = OnlineModel.fresh(adapter("lora", 0))) {
            GenerationConfig tooLong = SAMPLING.toBuilder().optMaxNewTokens(100_000).build();
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            grpo().optGeneration(tooLong).build(),
                                            OnlineModel.REWARDS,
                                            config().build(),
                                            directory))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("the model's context, found")
                    .hasMessageContaining("in prompt 1 and 100000 for the answer");
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            grpo().build(),
                                            List.of(new Reward("answer", new FinalAnswer())),
                                            config().build(),
                                            directory))
                    .isInstanceOf(RewardException.class)
                    .hasMessageContaining("expected \"answer\" or \"completion\"");
            assertThat(directory).as("nothing was begun").isEmptyDirectory();
        }
        assertThatThrownBy(() -> grpo().optNumGenerations(1).build())
                .hasMessageContaining("expected two answers to a prompt at least");
        GenerationConfig greedy = SAMPLING.toBuilder().optTemperature(0).build();
        assertThatThrownBy(() -> rloo().optGeneration(greedy).build())
                .hasMessageContaining("expected a temperature above 0");
        assertThatThrownBy(() -> grpo().optReferenceSync(ReferenceSync.DEFAULT).build())
                .hasMessageContaining("needs a beta above 0");
        assertThatThrownBy(() -> rloo().optRewardClipRange(1, 1).build())
                .hasMessageContaining("expected a range of rewards");
        assertThatThrownBy(() -> GrpoLossType.ofTrlName("ppo"))
                .hasMessageContaining("grpo, bnpo, dr_grpo, dapo, found \"ppo\"");
    }
}
