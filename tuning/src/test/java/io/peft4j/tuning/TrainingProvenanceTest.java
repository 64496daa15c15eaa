package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.files.AtomicDirectories;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trained adapter tells of its training, and a training knows its base model again. */
class TrainingProvenanceTest {

    private static final List<Example> TRAIN =
            List.of(Example.of(5, 6, 7, 8), Example.of(9, 8, 7), Example.of(4, 4, 5, 5, 6));
    private static final List<Example> HELD_OUT = List.of(Example.of(11, 12, 13));

    @TempDir Path directory;

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder().optBatchSize(2).optMaxSteps(4).optSaveSteps(1);
    }

    private static TrainingResult train(
            CausalLm model, Path output, TrainingConfig config, TrainingObserver... observers)
            throws IOException {
        LoraConfig lora = LoraConfig.builder().setRank(2).setTargetModules("qkv_proj").build();
        try (AdaptedModel adapted = Adapters.attach(model.block(), lora, 5)) {
            return SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted, Map.of("data_file", "rows.jsonl")),
                    TRAIN,
                    HELD_OUT,
                    config,
                    output,
                    observers);
        }
    }

    private static Provenance of(Path adapter) throws IOException {
        Provenance provenance = Provenance.read(adapter).orElseThrow();
        assertThat(provenance.changedFiles(adapter)).isEmpty();
        return provenance;
    }

    @Test
    void theResultTellsOfStepsSettingsDataAndBase() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            String base = Adapters.baseFingerprint(model.block());
            TrainingResult result = train(model, directory, config().optLearningRate(3e-3).build());
            Provenance provenance = of(directory);
            assertThat(provenance.seed()).hasValue(5);
            assertThat(provenance.steps()).hasValue(4);
            assertThat(provenance.epochs()).hasValue(8.0 / 3);
            assertThat(provenance.baseFingerprint()).contains(base);
            assertThat(provenance.entries())
                    .containsEntry("training.kind", "sft")
                    .containsEntry("training.learning_rate", "0.003")
                    .containsEntry("training.batch_size", "2")
                    .containsEntry("training.seed", "42")
                    .containsEntry("training.data_rows", "3")
                    .containsEntry("training.data_sha256", DataFingerprint.of(TRAIN))
                    .containsEntry("training.held_out_sha256", DataFingerprint.of(HELD_OUT))
                    .containsEntry("training.data_file", "rows.jsonl")
                    .containsEntry("training.loss", String.valueOf(result.loss().orElseThrow()))
                    .containsEntry(
                            "training.held_out_loss",
                            String.valueOf(result.heldOutLoss().orElseThrow()));
            assertThat(Double.parseDouble(provenance.entries().get("training.seconds")))
                    .isPositive();
            assertThat(provenance.entries().keySet())
                    .noneMatch(key -> key.startsWith("training.adapter"));
        }
    }

    @Test
    void aResumedTrainingTellsTheSameAsOneThatNeverStopped() throws IOException {
        Path stopped = directory.resolve("stopped");
        Path whole = directory.resolve("whole");
        try (CausalLm model = OpenElm.load()) {
            TrainingObserver interrupter =
                    new TrainingObserver() {
                        @Override
                        public void onStep(TrainingStep step) {
                            if (step.step() == 2) {
                                Thread.currentThread().interrupt();
                            }
                        }
                    };
            assertThatThrownBy(() -> train(model, stopped, config().build(), interrupter))
                    .isInstanceOf(TrainingInterruptedException.class);
            assertThat(Thread.interrupted()).isTrue();
            Provenance checkpoint = of(stopped.resolve("checkpoints/step-000002"));
            assertThat(checkpoint.steps()).hasValue(2);
            train(model, stopped, config().optResume(true).build());
            train(model, whole, config().build());
            assertThat(of(stopped).created()).isEqualTo(checkpoint.created());
            assertThat(withoutTime(of(stopped))).isEqualTo(withoutTime(of(whole)));
        }
    }

    private static Map<String, String> withoutTime(Provenance provenance) {
        Map<String, String> entries = new HashMap<>(provenance.entries());
        assertThat(entries.remove("created")).isNotNull();
        assertThat(entries.remove("training.seconds")).isNotNull();
        return entries;
    }

    @Test
    void theBestCheckpointTellsOfItsOwnSteps() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            TrainingConfig config =
                    config().optEvalSteps(1)
                            .optLearningRate(1)
                            .optSchedule(Schedule.CONSTANT)
                            .optRestoreBest(true)
                            .build();
            TrainingResult result = train(model, directory, config);
            assertThat(result.bestStep().orElseThrow()).isLessThan(4); // it gets worse
            assertThat(of(directory).steps()).hasValue(result.bestStep().orElseThrow());
            assertThat(of(directory).entries())
                    .containsEntry(
                            "training.held_out_loss",
                            String.valueOf(result.bestLoss().orElseThrow()))
                    .doesNotContainKey("training.loss"); // another step's
        }
    }

    @Test
    void aResumeOverAnotherBaseIsRefusedByName() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            String expected = Adapters.baseFingerprint(model.block());
            train(model, directory, config().build());
            byte[] before = Files.readAllBytes(directory.resolve("adapter_model.safetensors"));
            nudgeOneWeight(model);
            String found = Adapters.baseFingerprint(model.block());
            assertThatThrownBy(() -> train(model, directory, config().optResume(true).build()))
                    .isInstanceOf(ResumeMismatchException.class)
                    .hasMessageContaining("step-000004")
                    .hasMessageEndingWith(
                            "base_model_fingerprint was " + expected + ", now it is " + found);
            assertThat(directory.resolve("adapter_model.safetensors")).hasBinaryContent(before);
        }
    }

    private static void nudgeOneWeight(CausalLm model) {
        Parameter first = model.parameters().values().iterator().next();
        float[] values = first.getArray().toFloatArray();
        values[0] = Math.nextUp(values[0]);
        try (NDArray changed = model.manager().create(values, first.getShape())) {
            Tensors.copy(changed, first.getArray());
        }
    }

    @Test
    void aCheckpointOfAnEarlierReleaseIsResumedWithAWarning() throws IOException {
        try (CausalLm model = OpenElm.load()) {
            train(model, directory, config().build());
            forgetTheBase(directory.resolve("checkpoints/step-000004"));
            Recorder recorder = new Recorder();
            train(model, directory, config().optResume(true).build(), recorder);
            assertThat(recorder.doneSteps).isEqualTo(4);
            assertThat(recorder.warnings).hasSize(1);
            assertThat(recorder.warnings.get(0)).contains("does not tell its base model");
        }
    }

    /** Writes a checkpoint anew, as it was before base models had fingerprints. */
    private static void forgetTheBase(Path checkpoint) throws IOException {
        Path old = checkpoint.resolveSibling("old");
        Files.move(checkpoint, old);
        AtomicDirectories.publish(
                checkpoint,
                target -> {
                    for (String name :
                            new String[] {
                                "adapter_config.json",
                                "adapter_model.safetensors",
                                "optimizer.safetensors"
                            }) {
                        Files.copy(old.resolve(name), target.resolve(name));
                    }
                    TrainerState state = TrainerState.read(old);
                    Map<String, String> settings = new HashMap<>(state.settings());
                    assertThat(settings.remove(RunSettings.BASE)).isNotNull();
                    new TrainerState(
                                    state.step(),
                                    state.rowsTaken(),
                                    state.epoch(),
                                    state.progress(),
                                    settings,
                                    state.environment(),
                                    Map.of())
                            .write(target);
                });
    }
}
