package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.BaseNDManager;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.AdapterFingerprint;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.TrainingStep;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.online.rejection.SamplingInterruptedException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A tiny LLaMA that learns from its own answers. */
class IterativeDpoTest {

    private static final IterationObserver QUIET = new IterationObserver() {};

    /** The share of lower-case letters. */
    private static final Reward LETTERS =
            new Reward(
                    "letters",
                    RewardFunction.each(
                            one ->
                                    one.text().chars().filter(c -> c >= 'a' && c <= 'z').count()
                                            / (double) Math.max(1, one.text().length())));

    @TempDir private Path directory;
    private Path output;
    private List<Reward> rewards = List.of(LETTERS);

    @BeforeEach
    void choose() {
        output = directory.resolve("out");
    }

    /** A model with a new adapter. */
    private record Policy(CausalLm model, Tokenizer tokenizer, AdaptedModel adapted)
            implements AutoCloseable {

        static Policy open() throws IOException {
            return open("q_proj", "v_proj", "down_proj");
        }

        static Policy open(String... targets) throws IOException {
            CausalLm model = DpoGoldens.llama();
            LoraConfig config = LoraConfig.builder().setRank(8).setTargetModules(targets).build();
            return new Policy(
                    model,
                    Tokenizer.load(TestData.path("golden/tokenizer")),
                    Adapters.attach(model.block(), config, 3));
        }

        List<Prompt> prompts(String... texts) {
            List<Prompt> prompts = new ArrayList<>();
            for (String text : texts) {
                JsonObject row = new JsonObject();
                row.addProperty("prompt", text);
                prompts.add(new Prompt(tokenizer.encode(text, true), text, row));
            }
            return prompts;
        }

        String hash() {
            return AdapterFingerprint.of(adapted.adapter());
        }

        @Override
        public void close() {
            adapted.close();
            tokenizer.close();
            model.close();
        }
    }

    private static GenerationConfig generation() {
        return GenerationConfig.builder().optMaxNewTokens(6).optTemperature(1).build();
    }

    private static IterativeDpoConfig.Builder config() {
        return IterativeDpoConfig.builder()
                .optIterations(2)
                .optNumGenerations(4)
                .optGeneration(generation());
    }

    private static TrainingConfig.Builder training() {
        return TrainingConfig.builder()
                .optBatchSize(2)
                .optGradientAccumulation(2)
                .optMaxSteps(4)
                .optLearningRate(5e-3);
    }

    private IterativeDpo dpo(Policy policy, IterativeDpoConfig config) {
        return new IterativeDpo(
                policy.model,
                policy.tokenizer,
                new AdapterTrainable(policy.adapted),
                policy.prompts("2+2=", "The sky is", "a b c", "Up or down? ", "five"),
                rewards,
                config,
                DpoConfig.builder().build());
    }

    private List<IterationFigures> run(
            IterativeDpoConfig config, TrainingConfig training, IterationObserver observer)
            throws IOException {
        try (Policy policy = Policy.open()) {
            return dpo(policy, config).train(training, output, observer);
        }
    }

    private static List<JsonObject> rows(Path file) throws IOException {
        return Files.readAllLines(file).stream()
                .map(line -> JsonParser.parseString(line).getAsJsonObject())
                .toList();
    }

    /** Four letters each. */
    private static String[] words(int count, long seed) {
        Random random = new Random(seed);
        return Stream.generate(
                        () ->
                                random.ints(4, 'a', 'z' + 1)
                                        .mapToObj(c -> String.valueOf((char) c))
                                        .collect(Collectors.joining("", "", " ")))
                .limit(count)
                .toArray(String[]::new);
    }

    private static double reward(Policy policy, List<Prompt> prompts) {
        double[] rewards =
                LETTERS.of(
                        new CompletionSampler(policy.model, policy.tokenizer, generation(), 32)
                                .sample(prompts, 16, 5, () -> {}));
        return Arrays.stream(rewards).average().orElseThrow();
    }

    @Test
    void aRewardRisesOnPromptsThatWereNotTrainedOn() throws IOException {
        String[] known = words(24, 1);
        String[] others = words(8, 2);
        assertThat(known).doesNotContain(others);
        try (Policy policy = Policy.open("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")) {
            List<Prompt> heldOut = policy.prompts(others);
            assertThat(reward(policy, heldOut)).isBetween(0.05, 0.2);
            List<IterationFigures> figures =
                    new IterativeDpo(
                                    policy.model,
                                    policy.tokenizer,
                                    new AdapterTrainable(policy.adapted),
                                    policy.prompts(known),
                                    rewards,
                                    config().optIterations(4)
                                            .optNumGenerations(8)
                                            .optGenerationBatchSize(32)
                                            .build(),
                                    DpoConfig.builder().build())
                            .train(
                                    TrainingConfig.builder()
                                            .optMaxSteps(12)
                                            .optLearningRate(1e-2)
                                            .build(),
                                    output,
                                    QUIET);
            assertThat(reward(policy, heldOut)).isGreaterThan(0.6);
            assertThat(figures.get(3).meanReward())
                    .isGreaterThan(figures.get(0).meanReward() + 0.3);
        }
    }

    @Test
    void theBestAndTheWorstAnswerToEachPromptAreAPair() throws IOException {
        List<IterationFigures> figures = run(config().build(), training().build(), QUIET);
        for (IterationFigures iteration : figures) {
            Path of = output.resolve("iteration-" + iteration.iteration());
            List<JsonObject> answers = rows(of.resolve("answers.jsonl"));
            List<JsonObject> pairs = rows(of.resolve("pairs.jsonl"));
            assertThat(answers).hasSize(6); // the settings and five prompts
            assertThat(pairs).hasSize(iteration.pairs()).isNotEmpty();
            double margins = 0;
            int pair = 0;
            for (JsonObject prompt : answers.subList(1, 6)) {
                List<JsonObject> some =
                        prompt.getAsJsonArray("answers").asList().stream()
                                .map(JsonElement::getAsJsonObject)
                                .toList();
                double best = some.stream().mapToDouble(one -> reward(one)).max().orElseThrow();
                double worst = some.stream().mapToDouble(one -> reward(one)).min().orElseThrow();
                if (best == worst) {
                    continue;
                }
                JsonObject row = pairs.get(pair++);
                assertThat(row.get("chosen")).isEqualTo(first(some, best).get("text"));
                assertThat(row.get("rejected")).isEqualTo(first(some, worst).get("text"));
                assertThat(row.get("chosen_ids")).isEqualTo(first(some, best).get("ids"));
                assertThat(row.get("score_chosen").getAsDouble()).isEqualTo(best);
                assertThat(row.get("score_rejected").getAsDouble()).isEqualTo(worst);
                assertThat(row.get("margin").getAsDouble()).isEqualTo(best - worst).isPositive();
                margins += best - worst;
            }
            assertThat(pair).isEqualTo(pairs.size());
            assertThat(iteration.margin()).isCloseTo(margins / pair, within(1e-12));
            assertThat(iteration.samples()).isEqualTo(20);
            assertThat(iteration.steps()).isEqualTo(4);
        }
        assertThat(rows(output.resolve("iteration-2/answers.jsonl")).get(1))
                .isNotEqualTo(rows(output.resolve("iteration-1/answers.jsonl")).get(1));
    }

    private static double reward(JsonObject answer) {
        return answer.get("reward").getAsDouble();
    }

    private static JsonObject first(List<JsonObject> answers, double reward) {
        return answers.stream().filter(one -> reward(one) == reward).findFirst().orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theReferenceIsRenewedUnlessTheFirstIsKept(boolean kept) throws IOException {
        List<String> references = new ArrayList<>();
        List<String> starts = new ArrayList<>();
        try (Policy policy = Policy.open()) {
            dpo(policy, config().optIterations(3).optKeepFirstReference(kept).build())
                    .train(
                            training().build(),
                            output,
                            new IterationObserver() {
                                @Override
                                public List<TrainingObserver> onTraining(int number, int pairs) {
                                    starts.add(policy.hash());
                                    return List.of(
                                            new TrainingObserver() {
                                                @Override
                                                public void onFinish(
                                                        TrainingResult result, Path of) {
                                                    references.add(referenceOf(policy.adapted));
                                                }
                                            });
                                }
                            });
            assertThat(policy.adapted.names()).containsExactly(AdaptedModel.DEFAULT);
        }
        assertThat(starts).doesNotHaveDuplicates();
        assertThat(references)
                .isEqualTo(
                        kept
                                ? List.of("base", "base", "base")
                                : List.of("base", starts.get(1), starts.get(2)));
    }

    private static String referenceOf(AdaptedModel adapted) {
        return adapted.names().contains(Reference.NAME)
                ? AdapterFingerprint.of(adapted.adapter(Reference.NAME))
                : "base";
    }

    /** Ends a run somewhere in its second iteration. */
    private static final class Ending implements IterationObserver, TrainingObserver {

        private final String where;
        private int iteration;

        Ending(String where) {
            this.where = where;
        }

        @Override
        public void onSampling(int number, int done, int total) {
            if (number == 2 && done == 4 && where.equals("sampling")) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public List<TrainingObserver> onTraining(int number, int pairs) {
            iteration = number;
            if (number == 2 && where.equals("pairs")) {
                throw new IllegalStateException("killed");
            }
            return List.of(this);
        }

        @Override
        public void onStep(TrainingStep step) {
            if (iteration == 2 && step.step() == 2 && where.equals("training")) {
                Thread.currentThread().interrupt();
            }
            if (iteration == 2 && step.step() == 4 && where.equals("last step")) {
                Thread.currentThread().interrupt();
            }
            if (iteration == 2 && step.step() == 3 && where.equals("checkpoints")) {
                throw new IllegalStateException("killed");
            }
        }

        @Override
        public void onFinish(TrainingResult result, Path of) {
            if (iteration == 2 && where.equals("figures")) {
                throw new IllegalStateException("killed");
            }
        }

        @Override
        public void onIteration(IterationFigures figures) {
            if (figures.iteration() == 2 && where.equals("iterations")) {
                throw new IllegalStateException("killed");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "sampling",
                "pairs",
                "training",
                "last step",
                "checkpoints",
                "figures",
                "iterations"
            })
    void aRunThatEndedInItsSecondIterationGoesOnThere(String where) throws IOException {
        IterativeDpoConfig config = config().optIterations(3).build();
        TrainingConfig training =
                training().optSaveSteps(where.equals("checkpoints") ? 2 : 0).build();
        Path whole = output;
        List<IterationFigures> expected = run(config, training, QUIET);
        output = directory.resolve("ended");
        assertThatThrownBy(() -> run(config, training, new Ending(where)))
                .isInstanceOfAny(
                        SamplingInterruptedException.class,
                        TrainingInterruptedException.class,
                        IllegalStateException.class);
        assertThat(Thread.interrupted())
                .isEqualTo(List.of("sampling", "training", "last step").contains(where));
        List<Integer> sampled = new ArrayList<>();
        List<IterationFigures> figures =
                run(
                        config,
                        training.toBuilder().optResume(true).build(),
                        new IterationObserver() {
                            @Override
                            public void onSampling(int number, int done, int total) {
                                sampled.add(number * 10 + done);
                            }
                        });
        assertThat(figures).isEqualTo(expected);
        assertThat(sampled)
                .containsExactlyElementsOf(
                        switch (where) {
                            case "iterations", "last step" -> List.of(30, 32, 34, 35);
                            case "sampling" -> List.of(24, 25, 30, 32, 34, 35);
                            default -> List.of(25, 30, 32, 34, 35);
                        });
        for (String file :
                List.of(
                        "iteration-2/pairs.jsonl",
                        "iteration-2/iteration.json",
                        "iteration-3/pairs.jsonl",
                        "iteration-3/adapter_model.safetensors",
                        "adapter_model.safetensors")) {
            assertThat(output.resolve(file))
                    .hasBinaryContent(Files.readAllBytes(whole.resolve(file)));
        }
    }

    @Test
    void moreIterationsMayBeAskedForLaterButNothingElse() throws IOException {
        run(config().build(), training().build(), QUIET);
        assertThatThrownBy(() -> run(config().build(), training().build(), QUIET))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("expected no iterations; resume them");
        TrainingConfig resumed = training().optResume(true).build();
        List<IterationFigures> figures = run(config().optIterations(3).build(), resumed, QUIET);
        assertThat(figures).hasSize(3);
        output = directory.resolve("whole");
        assertThat(run(config().optIterations(3).build(), training().build(), QUIET))
                .isEqualTo(figures);
        assertThatThrownBy(
                        () ->
                                run(
                                        config().optNumGenerations(5).build(),
                                        training().optLearningRate(1).optResume(true).build(),
                                        QUIET))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("num_generations was 4, now it is 5")
                .hasMessageContaining("training.learning_rate was 0.005, now it is 1.0");
    }

    @Test
    void answersThatAreAllWorthTheSameTeachNothing() throws IOException {
        rewards = List.of(new Reward("none", RewardFunction.each(one -> 1)));
        try (Policy policy = Policy.open()) {
            String before = policy.hash();
            List<IterationFigures> figures =
                    dpo(policy, config().build()).train(training().build(), output, QUIET);
            assertThat(figures).extracting(IterationFigures::pairs).containsExactly(0, 0);
            assertThat(figures).extracting(IterationFigures::meanReward).containsExactly(1.0, 1.0);
            assertThat(policy.hash()).isEqualTo(before);
        }
        assertThat(output.resolve("iteration-1/pairs.jsonl")).isEmptyFile();
        assertThat(output.resolve("adapter_model.safetensors")).exists();
    }

    @Test
    void iterationsLeaveNoArraysBehind() throws IOException {
        List<Integer> managed = new ArrayList<>();
        try (Policy policy = Policy.open()) {
            List<IterationFigures> unused =
                    dpo(policy, config().optIterations(4).build())
                            .train(
                                    training().optMaxSteps(1).build(),
                                    output,
                                    new IterationObserver() {
                                        @Override
                                        public void onIteration(IterationFigures figures) {
                                            managed.add(
                                                    ((BaseNDManager) policy.model.manager())
                                                            .getManagedArrays()
                                                            .size());
                                        }
                                    });
        }
        assertThat(managed.subList(2, 4)).containsOnly(managed.get(1));
    }

    @Test
    void contradictionsAreRefused() throws IOException {
        assertThatThrownBy(() -> config().optIterations(0).build())
                .hasMessage("expected one iteration at least, found 0");
        assertThatThrownBy(() -> config().optNumGenerations(1).build())
                .hasMessageStartingWith("expected two answers to a prompt at least");
        assertThatThrownBy(() -> config().optGeneration(GenerationConfig.builder().build()).build())
                .hasMessageStartingWith("expected a temperature above 0");
        try (Policy policy = Policy.open()) {
            assertThatThrownBy(
                            () ->
                                    new IterativeDpo(
                                            policy.model,
                                            policy.tokenizer,
                                            new AdapterTrainable(policy.adapted),
                                            policy.prompts("1"),
                                            rewards,
                                            config().optKeepFirstReference(true).build(),
                                            DpoConfig.builder()
                                                    .optSync(ReferenceSync.DEFAULT)
                                                    .build()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "a reference that follows the policy is not kept: choose one of both");
        }
    }
}
