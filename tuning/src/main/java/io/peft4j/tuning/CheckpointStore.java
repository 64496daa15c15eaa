package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Saves a training's whole state and puts it back. */
final class CheckpointStore {

    private static final String OPTIMIZER = "optimizer.safetensors";

    private final Checkpoints checkpoints;
    private final LanguageModel model;
    private final Trainable trainable;
    private final TrainingTask task;
    private final OptimizerStep optimizerStep;
    private final Map<String, String> settings;
    private final TrainingConfig config;

    CheckpointStore(
            Path output,
            LanguageModel model,
            Trainable trainable,
            TrainingTask task,
            OptimizerStep optimizerStep,
            Map<String, String> settings,
            TrainingConfig config) {
        checkpoints = new Checkpoints(output);
        this.model = model;
        this.trainable = trainable;
        this.task = task;
        this.optimizerStep = optimizerStep;
        this.settings = settings;
        this.config = config;
    }

    /**
     * What a run was resumed from.
     *
     * @param directory the checkpoint
     * @param state its state
     */
    record Found(Path directory, TrainerState state) {}

    Path path(int step) {
        return checkpoints.path(step);
    }

    void requireNone() throws IOException {
        List<Integer> steps = checkpoints.steps();
        if (!steps.isEmpty()) {
            throw new FileAlreadyExistsException(
                    path(steps.get(0)).toString(),
                    null,
                    "expected an output without checkpoints; resume, or choose another output");
        }
    }

    Path save(int step, TrainerState.Progress progress) throws IOException {
        long rows = optimizerStep.order().first(step);
        TrainerState state =
                new TrainerState(
                        step,
                        rows,
                        optimizerStep.order().epochs(step),
                        progress,
                        settings,
                        TrainingEnvironment.current(),
                        ComputeRecord.of(model));
        Interruptions.hold(
                () -> {
                    checkpoints.write(
                            step,
                            directory -> {
                                trainable.save(directory);
                                task.save(directory);
                                TensorFile.save(
                                        directory.resolve(OPTIMIZER),
                                        optimizerStep.optimizer().state());
                                state.write(directory);
                            });
                    checkpoints.prune(config.keepCheckpoints(), progress.bestStep());
                });
        return path(step);
    }

    /** Restores the newest whole checkpoint; empty if none was ever written. */
    Optional<Found> resume(TrainingObserver observer) throws IOException {
        Optional<Path> newest = checkpoints.newest(observer::onWarning);
        if (newest.isEmpty()) {
            observer.onWarning("there is no checkpoint to resume from: starting at the beginning");
            return Optional.empty();
        }
        Path directory = newest.get();
        TrainerState state = TrainerState.read(directory);
        Map<String, String> comparable = new LinkedHashMap<>(settings);
        if (!state.settings().containsKey(RunSettings.BASE)
                && comparable.remove(RunSettings.BASE) != null) {
            observer.onWarning(
                    "the checkpoint is of an earlier release and does not tell its base model; it"
                            + " is taken for the same");
        }
        Map<String, String> saved = new LinkedHashMap<>(state.settings());
        if (comparable.containsKey(RunSettings.BASE_DTYPE)) {
            saved.putIfAbsent(RunSettings.BASE_DTYPE, "float32"); // all that there was
        }
        ResumeMismatchException.requireSame(directory, saved, comparable);
        List<String> elsewhere =
                ResumeMismatchException.differences(
                        state.environment(), TrainingEnvironment.current());
        if (!elsewhere.isEmpty()) {
            observer.onWarning(
                    "the result will differ in rounding from an uninterrupted run: "
                            + String.join("; ", elsewhere));
        }
        ComputeRecord.restoreProduct(state.compute(), model, observer);
        trainable.load(directory);
        task.load(directory);
        TensorFile.load(directory.resolve(OPTIMIZER), optimizerStep.optimizer().state());
        return Optional.of(new Found(directory, state));
    }
}
