package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SftTrainerTest {

    @TempDir Path directory;
    private final TinyModel model = new TinyModel(0.3f);
    private final Recorder recorder = new Recorder();

    @AfterEach
    void close() {
        model.close();
    }

    private static List<Example> examples(int count) {
        Random random = new Random(count);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long[] ids = random.longs(3 + i % 5, 0, TinyModel.VOCABULARY).toArray();
            long[] labels = ids.clone();
            labels[1] = i % 3 == 0 ? Example.IGNORED : labels[1];
            examples.add(new Example(ids, labels));
        }
        return examples;
    }

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder()
                .optBatchSize(2)
                .optGradientAccumulation(2)
                .optLearningRate(0.05)
                .optSchedule(Schedule.COSINE)
                .optWeightDecay(0.1)
                .optMaxGradNorm(0.5)
                .optSaveSteps(3);
    }

    private TrainingResult train(TinyModel tiny, Path output, TrainingConfig.Builder config)
            throws IOException {
        return SftTrainer.train(
                tiny, tiny, examples(11), examples(4), config.build(), output, recorder);
    }

    private float[] uninterrupted(TrainingConfig.Builder config) throws IOException {
        try (TinyModel other = new TinyModel(0.3f)) {
            SftTrainer.train(
                    other,
                    other,
                    examples(11),
                    examples(4),
                    config.build(),
                    directory.resolve("u"));
            return other.values();
        }
    }

    @Test
    void theLossFalls() throws IOException {
        TrainingResult result = train(model, directory, config().optMaxSteps(40));
        assertThat(result.steps()).isEqualTo(40);
        assertThat(result.loss().orElseThrow()).isLessThan(recorder.steps.get(0).loss() - 0.3);
        assertThat(result.heldOutLoss()).isPresent();
        assertThat(directory.resolve("tiny.safetensors")).exists();
    }

    @Test
    void aResumedRunGivesTheSameBits() throws IOException {
        float[] expected = uninterrupted(config().optMaxSteps(12));
        model.beforeBackward =
                () -> {
                    if (model.backwards == 15) { // within step 8
                        Thread.currentThread().interrupt();
                    }
                };
        TrainingInterruptedException stopped =
                catchThrowableOfType(
                        TrainingInterruptedException.class,
                        () -> train(model, directory, config().optMaxSteps(12)));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(stopped.step()).isEqualTo(7);
        try (TinyModel fresh = new TinyModel(0.3f)) {
            train(fresh, directory, config().optMaxSteps(12).optResume(true));
            assertThat(recorder.doneSteps).isEqualTo(7);
            assertThat(fresh.values()).containsExactly(expected);
        }
    }

    @Test
    void withoutResumingAnInterruptedRunTheBitsDiffer() throws IOException {
        // guards the test above: dropout, order and optimizer state do matter
        assertThat(uninterrupted(config().optMaxSteps(12)))
                .isNotEqualTo(uninterruptedWithSeed(config().optMaxSteps(12).optSeed(7)));
    }

    private float[] uninterruptedWithSeed(TrainingConfig.Builder config) throws IOException {
        train(model, directory.resolve("v"), config);
        return model.values();
    }

    @Test
    void aDamagedNewestCheckpointIsPassedOver() throws IOException {
        float[] expected = uninterrupted(config().optMaxSteps(12).optSchedule(Schedule.CONSTANT));
        train(model, directory, config().optMaxSteps(6).optSchedule(Schedule.CONSTANT));
        Path optimizer = directory.resolve("checkpoints/step-000006/optimizer.safetensors");
        byte[] bytes = Files.readAllBytes(optimizer);
        bytes[bytes.length - 1] ^= 1;
        Files.write(optimizer, bytes);
        try (TinyModel fresh = new TinyModel(0.3f)) {
            train(
                    fresh,
                    directory,
                    config().optMaxSteps(12).optSchedule(Schedule.CONSTANT).optResume(true));
            assertThat(recorder.warnings)
                    .anyMatch(w -> w.contains("step-000006") && w.contains("SHA-256"));
            assertThat(recorder.doneSteps).isEqualTo(3);
            assertThat(fresh.values()).containsExactly(expected);
        }
        assertThat(directory.resolve("checkpoints/step-000006.damaged")).exists();
    }

    @Test
    void theMemoryOfStepsIsFreedWhenTrainingEndsAndWhenItFails() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        assertThat(model.backwardsWhenFreed).isEqualTo(model.backwards).isPositive();
        model.beforeBackward =
                () -> {
                    throw new IllegalStateException("no more");
                };
        assertThatThrownBy(() -> train(model, directory.resolve("f"), config().optMaxSteps(3)))
                .hasMessage("no more");
        assertThat(model.backwardsWhenFreed).isEqualTo(model.backwards);
    }

    @Test
    void onlyDamagedCheckpointsAreAnError() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        Files.delete(directory.resolve("checkpoints/step-000003/trainer_state.json"));
        assertThatThrownBy(() -> train(model, directory, config().optMaxSteps(3).optResume(true)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("found 1 damaged");
    }

    @Test
    void resumingWithOtherSettingsNamesBothValues() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        assertThatThrownBy(
                        () ->
                                train(
                                        model,
                                        directory,
                                        config().optMaxSteps(3)
                                                .optLearningRate(0.1)
                                                .optResume(true)))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("learning_rate was 0.05, now it is 0.1");
    }

    @Test
    void resumingWithOtherDataIsRefused() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        assertThatThrownBy(
                        () ->
                                SftTrainer.train(
                                        model,
                                        model,
                                        examples(12),
                                        examples(4),
                                        config().optMaxSteps(3).optResume(true).build(),
                                        directory))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("data_rows was 11, now it is 12");
    }

    @Test
    void anotherThreadCountIsAWarningThatNamesBoth() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        Path checkpoint = directory.resolve("checkpoints/step-000003");
        TrainerState state = TrainerState.read(checkpoint);
        assertThat(state.environment()).containsEntry("threads", "1").containsKey("pytorch");
        Path moved = directory.resolve("other");
        new Checkpoints(moved)
                .write(
                        3,
                        target -> {
                            for (String name :
                                    List.of("tiny.safetensors", "optimizer.safetensors")) {
                                Files.copy(checkpoint.resolve(name), target.resolve(name));
                            }
                            Files.writeString(
                                    target.resolve(TrainerState.FILE),
                                    Files.readString(checkpoint.resolve(TrainerState.FILE))
                                            .replace("\"threads\": \"1\"", "\"threads\": \"4\""));
                        });
        train(model, moved, config().optMaxSteps(3).optResume(true));
        assertThat(recorder.warnings)
                .anyMatch(w -> w.contains("rounding") && w.contains("threads was 4, now it is 1"));
    }

    @Test
    void anOutputWithCheckpointsIsNotTrainedOverSilently() throws IOException {
        train(model, directory, config().optMaxSteps(3));
        assertThatThrownBy(() -> train(model, directory, config().optMaxSteps(3)))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("resume");
    }

    @Test
    void resumingWithoutAnyCheckpointStartsAtTheBeginningAndSaysSo() throws IOException {
        train(model, directory, config().optMaxSteps(2).optSaveSteps(0).optResume(true));
        assertThat(recorder.steps).hasSize(2);
        assertThat(recorder.warnings).anyMatch(w -> w.contains("no checkpoint"));
    }

    @Test
    void aLossThatIsNotANumberStopsAndKeepsTheLastGoodCheckpoint() throws IOException {
        model.beforeBackward =
                () -> {
                    if (model.backwards == 9) { // the first micro-batch of step 5
                        model.poison();
                    }
                };
        TrainingDivergedException stopped =
                catchThrowableOfType(
                        TrainingDivergedException.class,
                        () -> train(model, directory, config().optMaxSteps(12)));
        assertThat(stopped.step()).isEqualTo(5);
        assertThat(stopped).hasMessageContaining("loss").hasMessageContaining("NaN");
        assertThat(stopped.lastCheckpoint()).contains(directory.resolve("checkpoints/step-000003"));
        assertThat(directory.resolve("checkpoints/step-000003/COMPLETE")).exists();
        assertThat(directory.resolve("tiny.safetensors")).doesNotExist();
    }

    @Test
    void theNewestTwoCheckpointsAndTheBestStay() throws IOException {
        train(model, directory, config().optMaxSteps(12).optSaveSteps(1).optEvalSteps(1));
        Checkpoints checkpoints = new Checkpoints(directory);
        int best = TrainerState.read(checkpoints.path(12)).progress().bestStep();
        assertThat(checkpoints.steps()).contains(12, 11, best).hasSizeLessThanOrEqualTo(3);
        assertThat(recorder.checkpoints).hasSize(12);
    }

    @Test
    void patienceEndsATrainingThatDoesNotImprove() throws IOException {
        TrainingResult result =
                train(
                        model,
                        directory,
                        config().optMaxSteps(30).optLearningRate(0).optEvalSteps(2).optPatience(3));
        assertThat(result.stoppedEarly()).isTrue();
        assertThat(recorder.evaluations).containsExactly(2, 4, 6, 8);
        assertThat(result.bestStep()).hasValue(2);
    }

    @Test
    void theBestCheckpointCanBeTheResult() throws IOException {
        TrainingResult result =
                train(
                        model,
                        directory,
                        config().optMaxSteps(40)
                                .optLearningRate(0.3)
                                .optEvalSteps(1)
                                .optRestoreBest(true));
        double loss = Evaluation.evaluate(model, examples(4), 2).loss();
        assertThat(result.bestStep().getAsInt()).isLessThan(40);
        assertThat(loss).isCloseTo(result.bestLoss().getAsDouble(), within(1e-6));
    }

    @Test
    void aParameterThatNothingUsesIsReportedOnceAndStaysAsItWas() throws IOException {
        float[] before = model.parameters().get("unused").getArray().toFloatArray();
        train(model, directory, config().optMaxSteps(3));
        assertThat(recorder.missing).containsExactly("unused");
        assertThat(model.parameters().get("unused").getArray().toFloatArray())
                .containsExactly(before);
    }

    @Test
    void aGradientFromBeforeTheTrainingDoesNotHideAParameterThatNothingUses() throws IOException {
        AccumulatedGradients.of(model.parameters().get("unused"), new float[60]);
        train(model, directory, config().optMaxSteps(1));
        assertThat(recorder.missing).containsExactly("unused");
    }

    @Test
    void theLossOfAStepIsTheMeanOverTheTokensOfAllItsMicroBatches() throws IOException {
        List<Example> rows = examples(4);
        double expected = 0;
        int tokens = 0;
        try (TinyModel still = new TinyModel(0)) {
            for (EvaluationResult.Row row : Evaluation.evaluate(still, rows, 4).rows()) {
                expected += row.sum();
                tokens += row.tokens();
            }
            SftTrainer.train(
                    still,
                    still,
                    rows,
                    List.of(),
                    config().optMaxSteps(1).optSaveSteps(0).build(),
                    directory,
                    recorder);
        }
        assertThat(recorder.steps.get(0).loss()).isCloseTo(expected / tokens, within(1e-6));
        assertThat(recorder.steps.get(0).labelled()).isEqualTo(tokens);
    }

    @Test
    void accumulationGivesTheGradientOfOneLargeBatch() throws IOException {
        List<Example> rows = examples(4);
        List<float[]> results = new ArrayList<>();
        for (int batch : new int[] {1, 4}) {
            try (TinyModel still = new TinyModel(0)) {
                SftTrainer.train(
                        still,
                        still,
                        rows,
                        List.of(),
                        TrainingConfig.builder()
                                .optBatchSize(batch)
                                .optGradientAccumulation(4 / batch)
                                .optMaxSteps(3)
                                .optLearningRate(0.01)
                                .build(),
                        directory.resolve("b" + batch));
                results.add(still.values());
            }
        }
        assertThat(results.get(0))
                .usingComparatorWithPrecision(2e-6f)
                .containsExactly(results.get(1));
    }

    @Test
    void rowsWithoutLabelsTrainNothingAndAreReported() throws IOException {
        Example silent = new Example(new long[] {1, 2}, new long[] {-100, -100});
        float[] before = model.values();
        SftTrainer.train(
                model,
                model,
                List.of(silent, silent, silent, silent, Example.of(1, 2, 3)),
                List.of(),
                config().optMaxSteps(1).optShuffle(false).optSaveSteps(0).build(),
                directory,
                recorder);
        assertThat(model.values()).containsExactly(before);
        assertThat(recorder.warnings).anyMatch(w -> w.contains("none of its rows has a label"));
    }

    @Test
    void threeHundredStepsLeaveTheNumberOfArraysAsItWas() throws IOException {
        int[] managed = new int[2];
        TrainingObserver counter =
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        if (step.step() == 10 || step.step() == 300) {
                            managed[step.step() / 300] = model.manager().getManagedArrays().size();
                        }
                    }
                };
        SftTrainer.train(
                model,
                model,
                examples(11),
                examples(4),
                config().optMaxSteps(300).optSaveSteps(100).optEvalSteps(100).build(),
                directory,
                counter);
        assertThat(managed[0]).isPositive().isEqualTo(managed[1]);
    }
}
