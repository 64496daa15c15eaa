package io.peft4j.tuning.reward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.BaseNDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.adapters.TargetModules;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a training of a reward model leaves, and what a resume must get right. */
class RewardTrainerTest {

    private static final int STEPS = 6;

    @TempDir Path directory;
    private List<PreferencePair> pairs = List.of();

    @BeforeEach
    void readPairs() throws IOException {
        pairs = RewardGoldens.pairs(true);
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder()
                .optBatchSize(2)
                .optGradientAccumulation(2)
                .optMaxSteps(STEPS)
                .optLearningRate(5e-3);
    }

    static AdapterConfig adapter(String method, double dropout) {
        TargetModules targets =
                TargetModules.of("q_proj", "down_proj")
                        .withModulesToSave(RewardHead.MODULES_TO_SAVE);
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(4)
                        .optDropout(dropout)
                        .optTaskType(RewardHead.TASK_TYPE)
                        .setTargetModules(targets)
                        .build()
                : DoraConfig.builder()
                        .setRank(4)
                        .optDropout(dropout)
                        .optTaskType(RewardHead.TASK_TYPE)
                        .setTargetModules(targets)
                        .build();
    }

    private void train(
            CausalLm model,
            AdaptedModel adapted,
            RewardConfig loss,
            TrainingConfig config,
            Path output,
            Consumer<TrainingStep> onStep)
            throws IOException {
        RewardTrainer.train(
                LanguageModel.of(model),
                new AdapterTrainable(adapted),
                pairs,
                pairs.subList(0, 3),
                loss,
                config,
                output,
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        onStep.accept(step);
                    }
                });
    }

    private void run(String method, RewardConfig loss, Path output, Consumer<TrainingStep> onStep)
            throws IOException {
        TrainingConfig config = config().optSaveSteps(2).optEvalSteps(2).optResume(true).build();
        try (CausalLm model = RewardGoldens.llama();
                AdaptedModel adapted = Adapters.attach(model.block(), adapter(method, 0), 4)) {
            train(model, adapted, loss, config, output, onStep);
        }
    }

    @ParameterizedTest
    @CsvSource({"lora,true", "dora,true", "dora,false"})
    void whatIsPreferredGetsTheGreaterReward(String method, boolean kernels) throws IOException {
        List<TrainingStep> steps = new ArrayList<>();
        try (CausalLm model = RewardGoldens.llama();
                AdaptedModel adapted = Adapters.attach(model.block(), adapter(method, 0), 4)) {
            model.useLayerKernels(kernels);
            train(
                    model,
                    adapted,
                    RewardConfig.builder().build(),
                    config().optMaxSteps(24).optLearningRate(2e-2).build(),
                    directory,
                    steps::add);
            assertThat(model.wasByLayerKernels()).isEqualTo(kernels);
        }
        TrainingStep last = steps.get(steps.size() - 1);
        assertThat(last.loss()).isLessThan(0.6 * steps.get(0).loss());
        assertThat(last.metrics().get("accuracy")).isEqualTo(1);
        assertThat(last.metrics().get("margin")).isPositive();
        Provenance provenance = Provenance.read(directory).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("reward");
        assertThat(provenance.get("training.center_rewards_coefficient")).contains("0.0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void anInterruptedTrainingGoesOnBitForBit(String method) throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        RewardConfig loss = RewardConfig.builder().optCenterRewardsCoefficient(0.01).build();
        run(method, loss, whole, step -> {});
        assertThatThrownBy(
                        () ->
                                run(
                                        method,
                                        loss,
                                        stopped,
                                        step -> {
                                            if (step.step() == 3) {
                                                Thread.currentThread().interrupt();
                                            }
                                        }))
                .isInstanceOf(TrainingInterruptedException.class);
        assertThat(Thread.interrupted()).isTrue();
        List<TrainingStep> steps = new ArrayList<>();
        run(method, loss, stopped, steps::add);
        assertThat(steps).hasSize(STEPS - 3);
        assertThat(Files.readAllBytes(stopped.resolve("adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(whole.resolve("adapter_model.safetensors")));
        assertThat(withoutSpeed(stopped)).isEqualTo(withoutSpeed(whole));
    }

    private static List<String> withoutSpeed(Path output) throws IOException {
        return Files.readAllLines(output.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll("\"tokens_per_second\":[^,}]*", ""))
                .toList();
    }

    @Test
    void aRunWithAnotherLossOrOtherMarginsIsNotResumed() throws IOException {
        run("lora", RewardConfig.builder().build(), directory, step -> {});
        RewardConfig centred = RewardConfig.builder().optCenterRewardsCoefficient(0.01).build();
        assertThatThrownBy(() -> run("lora", centred, directory, step -> {}))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("center_rewards_coefficient was 0.0, now it is 0.01");
        pairs = RewardGoldens.pairs(false);
        assertThatThrownBy(() -> run("lora", RewardConfig.builder().build(), directory, step -> {}))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("data_sha256");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nothingIsDropped(boolean kernels) throws IOException {
        Path with = directory.resolve("with");
        Path without = directory.resolve("without");
        for (Path output : List.of(with, without)) {
            try (CausalLm model = RewardGoldens.llama();
                    AdaptedModel adapted =
                            Adapters.attach(
                                    model.block(), adapter("dora", output == with ? 0.5 : 0), 4)) {
                model.useLayerKernels(kernels);
                RewardConfig loss = RewardConfig.builder().build();
                train(model, adapted, loss, config().build(), output, step -> {});
            }
        }
        assertThat(Files.readAllBytes(with.resolve("adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(without.resolve("adapter_model.safetensors")));
    }

    @Test
    void neitherStepsNorTrainingsLeaveArraysBehind() throws IOException {
        List<Integer> afterTrainings = new ArrayList<>();
        try (CausalLm model = RewardGoldens.llama();
                AdaptedModel adapted =
                        Adapters.load(model.block(), RewardGoldens.start("score_dora"))) {
            for (String output : List.of("first", "second", "third")) {
                List<Integer> afterSteps = new ArrayList<>();
                train(
                        model,
                        adapted,
                        RewardConfig.builder().build(),
                        config().optMaxSteps(8).build(),
                        directory.resolve(output),
                        step -> afterSteps.add(managed(model)));
                assertThat(afterSteps.subList(3, 8)).containsOnly(afterSteps.get(2));
                afterTrainings.add(managed(model));
            }
        }
        assertThat(afterTrainings.get(2)).isEqualTo(afterTrainings.get(1));
    }

    static int managed(CausalLm model) {
        return ((BaseNDManager) model.manager()).getManagedArrays().size();
    }

    @Test
    void anAdapterWithoutAHeadOfItsOwnIsRefused() throws IOException {
        try (CausalLm model = RewardGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), RewardGoldens.start("lora"))) {
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            adapted,
                                            RewardConfig.builder().build(),
                                            config().build(),
                                            directory,
                                            step -> {}))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("\"score\"");
        }
    }
}
