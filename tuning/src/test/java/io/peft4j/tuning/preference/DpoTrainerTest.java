package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.torch.GradMode;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.ReferenceSync;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingInterruptedException;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference, its caches, and what a resume must get right. */
class DpoTrainerTest {

    private static final int STEPS = 6;

    @TempDir Path directory;
    private List<PreferencePair> pairs = List.of();

    @BeforeEach
    void readPairs() throws IOException {
        pairs = DpoGoldens.pairs();
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder()
                .optBatchSize(2)
                .optGradientAccumulation(2)
                .optMaxSteps(STEPS)
                .optLearningRate(5e-3);
    }

    private static AdapterConfig adapter(String method, double dropout) {
        String[] targets = {"q_proj", "down_proj"};
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

    private void train(
            CausalLm model,
            AdaptedModel adapted,
            DpoConfig dpo,
            TrainingConfig config,
            Path output,
            Consumer<TrainingStep> onStep)
            throws IOException {
        DpoTrainer.train(
                LanguageModel.of(model),
                new AdapterTrainable(adapted),
                pairs,
                pairs.subList(0, 3),
                dpo,
                config,
                output,
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        onStep.accept(step);
                    }
                });
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
    @ValueSource(strings = {"lora", "dora"})
    void theReferenceOfANewAdapterIsTheBaseModel(String method) throws IOException {
        List<TrainingStep> steps = new ArrayList<>();
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.attach(model.block(), adapter(method, 0))) {
            train(
                    model,
                    adapted,
                    DpoConfig.builder().build(),
                    config().build(),
                    directory,
                    step -> {
                        assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
                        steps.add(step);
                    });
            try (Reference next = Reference.of(adapted, Optional.empty())) {
                assertThat(next.start()).isNotEqualTo("base");
            }
        }
        // at the first step policy and reference are the same
        assertThat(steps.get(0).loss()).isCloseTo(Math.log(2), within(1e-5));
        assertThat(steps.get(0).metrics().get("rewards/margins")).isCloseTo(0, within(1e-5));
        assertThat(steps.get(STEPS - 1).loss()).isLessThan(Math.log(2));
        assertThat(steps.get(STEPS - 1).metrics().get("rewards/margins")).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void theReferenceOfATrainedAdapterIsACopyThatNeverMoves(String start) throws IOException {
        List<TrainingStep> steps = new ArrayList<>();
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start(start))) {
            Map<String, float[]> before = values(adapted.adapter());
            train(
                    model,
                    adapted,
                    DpoConfig.builder().build(),
                    config().build(),
                    directory,
                    step -> {
                        steps.add(step);
                        assertEqual(values(adapted.adapter(Reference.NAME)), before);
                        assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
                    });
            assertThat(adapted.names()).containsExactly(AdaptedModel.DEFAULT);
            assertThat(values(adapted.adapter()).values())
                    .isNotEqualTo(new ArrayList<>(before.values()));
        }
        assertThat(steps).hasSize(STEPS);
        assertThat(steps.get(0).loss()).isCloseTo(Math.log(2), within(1e-5));
    }

    @Test
    void theReferenceFollowsThePolicyIfItIsToldTo() throws IOException {
        ReferenceSync sync = new ReferenceSync(0.6, 2);
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.attach(model.block(), adapter("dora", 0))) {
            Map<String, float[]> expected = values(adapted.adapter());
            train(
                    model,
                    adapted,
                    DpoConfig.builder().optSync(sync).build(),
                    config().build(),
                    directory,
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
                                                        .containsExactly(expected.get(name)));
                    });
        }
    }

    private static void mix(float[] reference, float[] policy) {
        for (int i = 0; i < reference.length; i++) {
            reference[i] = 0.6f * policy[i] + 0.4f * reference[i];
        }
    }

    @ParameterizedTest
    @CsvSource({"lora,false", "dora,true"})
    void anInterruptedTrainingGoesOnBitForBit(String start, boolean moving) throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        DpoConfig dpo =
                moving
                        ? DpoConfig.builder().optSync(new ReferenceSync(0.5, 2)).build()
                        : DpoConfig.builder().optPrecomputeReferenceLogProbs(true).build();
        run(start, dpo, whole, step -> {});
        assertThatThrownBy(
                        () ->
                                run(
                                        start,
                                        dpo,
                                        stopped,
                                        step -> {
                                            if (step.step() == 3) {
                                                Thread.currentThread().interrupt();
                                            }
                                        }))
                .isInstanceOf(TrainingInterruptedException.class);
        assertThat(Thread.interrupted()).isTrue();
        List<TrainingStep> steps = new ArrayList<>();
        run(start, dpo, stopped, steps::add);
        assertThat(steps).hasSize(STEPS - 3);
        assertThat(Files.readAllBytes(stopped.resolve("adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(whole.resolve("adapter_model.safetensors")));
        assertThat(withoutSpeed(stopped)).isEqualTo(withoutSpeed(whole));
    }

    private void run(String start, DpoConfig dpo, Path output, Consumer<TrainingStep> onStep)
            throws IOException {
        TrainingConfig config = config().optSaveSteps(2).optEvalSteps(2).optResume(true).build();
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start(start))) {
            train(model, adapted, dpo, config, output, onStep);
        }
    }

    private static List<String> withoutSpeed(Path output) throws IOException {
        return Files.readAllLines(output.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll("\"tokens_per_second\":[^,}]*", ""))
                .toList();
    }

    @Test
    void aRunThatBeganWithAnotherAdapterOrLossIsNotResumed() throws IOException {
        run("lora", DpoConfig.builder().build(), directory, step -> {});
        assertThatThrownBy(
                        () ->
                                run(
                                        "lora",
                                        DpoConfig.builder().optBeta(0.2).build(),
                                        directory,
                                        step -> {}))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("beta was 0.1, now it is 0.2");
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start("lora"));
                GradMode off = GradMode.disabled()) {
            NDArray one = adapted.adapter().parameters().values().iterator().next().getArray();
            one.addi(1);
            TrainingConfig config =
                    config().optSaveSteps(2).optEvalSteps(2).optResume(true).build();
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            adapted,
                                            DpoConfig.builder().build(),
                                            config,
                                            directory,
                                            step -> {}))
                    .isInstanceOf(ResumeMismatchException.class)
                    .hasMessageContaining("reference was");
        }
    }

    @Test
    void theReferenceIsAskedOnceIfItsAnswersAreKept() throws IOException {
        Path cache = directory.resolve("cache");
        DpoConfig dpo =
                DpoConfig.builder()
                        .optPrecomputeReferenceLogProbs(true)
                        .optReferenceCache(cache)
                        .build();
        run("lora", dpo, directory.resolve("first"), step -> {});
        String[] files = cache.toFile().list();
        assertThat(files).hasSize(2).allMatch(name -> name.matches("reference-[0-9a-f]{64}.*"));
        for (String name : files) {
            cache.resolve(name).toFile().setLastModified(1_000_000);
        }
        run("lora", dpo, directory.resolve("second"), step -> {});
        run("lora", DpoConfig.builder().build(), directory.resolve("plain"), step -> {});
        assertThat(cache.toFile().list()).containsExactlyInAnyOrder(files);
        for (String name : files) {
            assertThat(cache.resolve(name).toFile().lastModified()).isEqualTo(1_000_000);
        }
        assertThat(Files.readAllBytes(directory.resolve("second/adapter_model.safetensors")))
                .isEqualTo(
                        Files.readAllBytes(directory.resolve("first/adapter_model.safetensors")));
        run("dora", dpo, directory.resolve("other"), step -> {});
        assertThat(cache.toFile().list()).hasSize(4);
    }

    @Test
    void aDamagedCacheIsComputedAnew() throws IOException {
        Path cache = directory.resolve("cache");
        DpoConfig dpo =
                DpoConfig.builder()
                        .optPrecomputeReferenceLogProbs(true)
                        .optReferenceCache(cache)
                        .build();
        run("lora", dpo, directory.resolve("first"), step -> {});
        for (String name : cache.toFile().list()) {
            Files.write(cache.resolve(name), new byte[] {1, 2, 3});
        }
        run("lora", dpo, directory.resolve("second"), step -> {});
        assertThat(Files.readAllBytes(directory.resolve("second/adapter_model.safetensors")))
                .isEqualTo(
                        Files.readAllBytes(directory.resolve("first/adapter_model.safetensors")));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nothingIsDropped(boolean kernels) throws IOException {
        Path with = directory.resolve("with");
        Path without = directory.resolve("without");
        for (Path output : List.of(with, without)) {
            try (CausalLm model = DpoGoldens.llama();
                    AdaptedModel adapted =
                            Adapters.attach(
                                    model.block(), adapter("dora", output == with ? 0.5 : 0), 4)) {
                model.useLayerKernels(kernels);
                DpoConfig dpo = DpoConfig.builder().build();
                train(model, adapted, dpo, config().build(), output, step -> {});
            }
        }
        assertThat(Files.readAllBytes(with.resolve("adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(without.resolve("adapter_model.safetensors")));
        assertThat(Files.readString(with.resolve("adapter_config.json")))
                .contains("\"lora_dropout\": 0.5");
    }

    @Test
    void afterFineTuningOnTheChosenAnswersTheReferenceIsWhatCameOfIt() throws IOException {
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.attach(model.block(), adapter("lora", 0))) {
            LanguageModel language = LanguageModel.of(model);
            SftTrainer.train(
                    language,
                    new AdapterTrainable(adapted),
                    pairs.stream().map(PreferencePair::chosen).toList(),
                    List.of(),
                    config().build(),
                    directory.resolve("sft"));
            Map<String, float[]> tuned = values(adapted.adapter());
            train(
                    model,
                    adapted,
                    DpoConfig.builder().build(),
                    config().build(),
                    directory.resolve("dpo"),
                    step -> assertEqual(values(adapted.adapter(Reference.NAME)), tuned));
        }
        Provenance provenance = Provenance.read(directory.resolve("dpo")).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("dpo");
        assertThat(provenance.get("training.loss_type")).contains("sigmoid");
        assertThat(provenance.get("training.beta")).contains("0.1");
        assertThat(provenance.get("training.reference").orElseThrow()).hasSize(64);
    }

    @Test
    void neitherStepsNorTrainingsLeaveArraysBehind() throws IOException {
        List<Integer> afterTrainings = new ArrayList<>();
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start("dora"))) {
            for (String output : List.of("first", "second", "third")) {
                List<Integer> afterSteps = new ArrayList<>();
                train(
                        model,
                        adapted,
                        DpoConfig.builder().optSync(new ReferenceSync(0.6, 1)).build(),
                        config().optMaxSteps(8).build(),
                        directory.resolve(output),
                        step -> afterSteps.add(managed(model)));
                assertThat(afterSteps.subList(3, 8)).containsOnly(afterSteps.get(2));
                afterTrainings.add(managed(model));
            }
        }
        assertThat(afterTrainings.get(2)).isEqualTo(afterTrainings.get(1));
    }

    private static int managed(CausalLm model) {
        return ((BaseNDManager) model.manager()).getManagedArrays().size();
    }

    @Test
    void anAdapterThatBearsTheReferencesNameIsNotTakenForIt() throws IOException {
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start("lora"))) {
            adapted.load(Reference.NAME, DpoGoldens.start("lora"));
            assertThatThrownBy(
                            () ->
                                    train(
                                            model,
                                            adapted,
                                            DpoConfig.builder().build(),
                                            config().build(),
                                            directory,
                                            step -> {}))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("reference");
            assertThat(adapted.names()).contains(Reference.NAME);
        }
    }
}
