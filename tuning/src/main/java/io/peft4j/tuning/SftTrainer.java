package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Supervised fine-tuning. What the output directory holds, {@link TaskTrainer} tells. */
public final class SftTrainer {

    private SftTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over.
     *
     * @param model the model, whose forward has the trained parameters in it
     * @param trainable what to train
     * @param train the examples, with one labelled next token at least
     * @param heldOut the examples to evaluate on; may be empty
     * @param config the settings
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended
     * @throws CheckpointingUnavailableException if gradient checkpointing is asked for and cannot
     *     be had
     * @throws TrainingDivergedException if loss or gradient is not finite; checkpoints stay
     * @throws TrainingInterruptedException if the thread is interrupted: after the micro-batch at
     *     hand, a checkpoint of the last full step is written
     * @throws ResumeMismatchException if settings or data are not those of the run to resume
     * @throws IOException if a file cannot be read or written, or if the output has checkpoints and
     *     the config does not resume
     */
    public static TrainingResult train(
            LanguageModel model,
            Trainable trainable,
            List<Example> train,
            List<Example> heldOut,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        return TaskTrainer.train(
                model, trainable, new SftTask(train, heldOut), config, output, observers);
    }
}
