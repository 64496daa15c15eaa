package io.peft4j.tuning;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Trains on any {@link TrainingTask}.
 *
 * <p>The output directory holds the result at its root, {@code metrics.jsonl} beside it, and the
 * checkpoints in {@code checkpoints/step-000123}. A checkpoint has the trained parameters, the
 * optimizer's state, the task's own and {@code trainer_state.json}; a run that is resumed from one
 * gives the same bits as one that was never interrupted, on the same machine with the same number
 * of threads.
 */
public final class TaskTrainer {

    private TaskTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over.
     *
     * @param model the model, whose forward has the trained parameters in it
     * @param trainable what to train
     * @param task what to learn from
     * @param config the settings
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended
     * @throws CheckpointingUnavailableException if gradient checkpointing is asked for and cannot
     *     be had
     * @throws TrainingDivergedException if loss or gradient is not finite; checkpoints stay
     * @throws TrainingInterruptedException if the thread is interrupted: after the micro-batch at
     *     hand, a checkpoint of the last full step is written; a step of several updates is done to
     *     its end once the first has moved the parameters
     * @throws ResumeMismatchException if settings or data are not those of the run to resume
     * @throws IOException if a file cannot be read or written, or if the output has checkpoints and
     *     the config does not resume
     */
    public static TrainingResult train(
            LanguageModel model,
            Trainable trainable,
            TrainingTask task,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        List<TrainingObserver> all = new ArrayList<>();
        all.add(new JsonLinesMetrics(output.resolve("metrics.jsonl")));
        all.addAll(List.of(observers));
        TrainingObserver group = new ObserverGroup(all);
        try (TrainingRun run = new TrainingRun(model, trainable, task, config, output, group)) {
            return run.run();
        } catch (UncheckedIOException e) { // an observer's
            throw e.getCause();
        }
    }
}
