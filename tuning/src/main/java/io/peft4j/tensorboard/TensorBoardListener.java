package io.peft4j.tensorboard;

import ai.djl.Device;
import ai.djl.ndarray.NDList;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.TrainingListenerAdapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Writes a training with DJL's own {@link Trainer} as TensorBoard shows it: {@code train/loss} and
 * the evaluators, such as {@code train/accuracy}, at each batch, and {@code eval/loss} and the like
 * at the end of an epoch with a validation set. Steps are batches, counted from 1.
 *
 * <p>A directory is one run. Where it has event files from before, they are voided, since DJL's
 * trainer cannot resume. The trainer closes the file when it is closed itself.
 */
public final class TensorBoardListener extends TrainingListenerAdapter {

    private static final String TRAIN = "tensorboard_train";
    private static final String EVALUATION = "tensorboard_eval";

    private final Path directory;
    private final Set<Evaluator> evaluators = new LinkedHashSet<>();
    private @Nullable EventFile events;
    private @Nullable Evaluator loss;
    private long step;
    private long epoch;
    private boolean validated;

    /**
     * Reports into a directory.
     *
     * @param directory where the event file goes; made when the trainer is
     */
    public TensorBoardListener(Path directory) {
        this.directory = directory;
    }

    @Override
    public void onTrainingBegin(Trainer trainer) {
        loss = trainer.getLoss();
        evaluators.clear();
        evaluators.add(trainer.getLoss());
        evaluators.addAll(trainer.getEvaluators()); // the loss may be among them
        for (Evaluator evaluator : evaluators) {
            evaluator.addAccumulator(TRAIN);
            evaluator.addAccumulator(EVALUATION);
        }
        try {
            events = EventFile.begin(directory, 1);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batch) {
        step++;
        add(TRAIN, batch);
        write(TRAIN, "train/");
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData batch) {
        validated = true;
        add(EVALUATION, batch);
    }

    @Override
    public void onEpoch(Trainer trainer) {
        epoch++;
        if (validated) {
            validated = false;
            write(EVALUATION, "eval/");
        }
        scalar("train/epoch", (double) epoch);
        flush();
    }

    private void add(String accumulator, BatchData batch) {
        for (Device device : batch.getLabels().keySet()) {
            NDList labels = batch.getLabels().get(device);
            NDList predictions = batch.getPredictions().get(device);
            for (Evaluator evaluator : evaluators) {
                evaluator.updateAccumulator(accumulator, labels, predictions);
            }
        }
    }

    private void write(String accumulator, String prefix) {
        for (Evaluator evaluator : evaluators) {
            String name = evaluator == loss ? "loss" : evaluator.getName().toLowerCase(Locale.ROOT);
            scalar(prefix + name, evaluator.getAccumulator(accumulator));
            evaluator.resetAccumulator(accumulator);
        }
        flush();
    }

    private void scalar(String tag, double value) {
        try {
            open().scalar(tag, value, step);
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private void flush() {
        try {
            open().flush();
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private EventFile open() {
        if (events == null) {
            throw new IllegalStateException("expected onTrainingBegin before a batch");
        }
        return events;
    }

    @Override
    public void onTrainingEnd(Trainer trainer) {
        EventFile open = events;
        events = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                throw failed(e);
            }
        }
    }

    private UncheckedIOException failed(IOException e) {
        return new UncheckedIOException(
                directory + ": cannot write TensorBoard's events: " + e.getMessage(), e);
    }
}
