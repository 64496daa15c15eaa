package io.peft4j.tuning;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Hears of a training as it goes. Calls come from the training thread; what they throw ends the
 * training.
 */
public interface TrainingObserver {

    /**
     * Everything that decides the result of the run, before it begins.
     *
     * @param settings text by name, such as {@code learning_rate} or {@code data_sha256}
     */
    default void onSettings(Map<String, String> settings) {}

    /**
     * Training begins.
     *
     * @param doneSteps the steps that a resumed run has behind it, or 0
     * @param totalSteps the number of steps in all
     */
    default void onStart(int doneSteps, int totalSteps) {}

    /**
     * It was chosen whether layers are computed again in backward; comes after {@link #onStart}.
     *
     * @param on whether they are
     * @param reason why, in a few words
     */
    default void onGradientCheckpointing(boolean on, String reason) {}

    /**
     * An optimizer step is done.
     *
     * @param step what it did
     */
    default void onStep(TrainingStep step) {}

    /**
     * The held-out examples were evaluated.
     *
     * @param step the number of steps done
     * @param result the losses
     * @param best whether no evaluation before had a smaller loss
     */
    default void onEvaluation(int step, EvaluationResult result, boolean best) {}

    /**
     * A checkpoint is complete on the disk.
     *
     * @param step the number of steps done
     * @param directory the checkpoint
     */
    default void onCheckpoint(int step, Path directory) {}

    /**
     * The first step gave some trainable parameters no gradient: nothing trains them.
     *
     * @param names the parameters
     */
    default void onMissingGradients(List<String> names) {}

    /**
     * A task has chosen something that its user may want to know; may come before {@link #onStart}.
     *
     * @param message what, in one line
     */
    default void onNote(String message) {}

    /**
     * Something is odd but does not end the training.
     *
     * @param message what, in one line
     */
    default void onWarning(String message) {}

    /**
     * The training is done and its result written. Not called when it ends otherwise.
     *
     * @param result how it ended
     * @param output the directory of the result
     */
    default void onFinish(TrainingResult result, Path output) {}
}
