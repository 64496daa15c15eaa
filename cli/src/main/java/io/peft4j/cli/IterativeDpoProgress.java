package io.peft4j.cli;

import ai.djl.Device;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.preference.IterationFigures;
import io.peft4j.tuning.preference.IterationObserver;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Tells how iterations go: their sampling, then their training. */
final class IterativeDpoProgress implements IterationObserver, AutoCloseable {

    private final PrintWriter err;
    private final RunOptions runs;
    private final Device device;
    private int iteration;
    private @Nullable SamplingProgress sampling;
    private @Nullable TrainingProgress training;
    private @Nullable Reports reports;

    IterativeDpoProgress(PrintWriter err, RunOptions runs, Device device) {
        this.err = err;
        this.runs = runs;
        this.device = device;
    }

    @Override
    public void onSampling(int number, int done, int total) {
        if (number != iteration) {
            close();
            iteration = number;
            sampling = SamplingProgress.to(err, "sampling " + number);
        }
        if (sampling != null) {
            sampling.onProgress(done, total);
        }
    }

    @Override
    public List<TrainingObserver> onTraining(int number, int pairs) {
        close();
        TrainingProgress progress = TrainingProgress.to(err, "dpo " + number).on(device);
        training = progress;
        progress.onNote(
                pairs == 0
                        ? "all answers to a prompt are worth the same: there is nothing to learn"
                        : pairs + " pairs");
        reports = runs.reports("iteration-" + number, progress::onWarning);
        return List.of(reports.after(progress));
    }

    @Override
    public void onIteration(IterationFigures figures) {
        close();
        err.println(
                String.format(
                        Locale.ROOT,
                        "iteration %d: mean reward %.4f, best of a prompt %.4f, %d pairs",
                        figures.iteration(),
                        figures.meanReward(),
                        figures.bestReward(),
                        figures.pairs()));
        err.flush();
    }

    @Override
    public void close() {
        if (sampling != null) {
            sampling.close();
            sampling = null;
        }
        if (reports != null) {
            reports.close();
            reports = null;
        }
        if (training != null) {
            training.close();
            training = null;
        }
    }
}
