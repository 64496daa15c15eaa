package io.peft4j.cli;

import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Tells how a training goes: a bar on a terminal, a line now and then elsewhere. */
final class TrainingProgress implements TrainingObserver, AutoCloseable {

    private static final int WIDTH = 100;
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;

    private final PrintWriter err;
    private final String task;
    private final boolean terminal;
    private final boolean checkpoints;
    private @Nullable ProgressBar bar;
    private int total;
    private int firstStep;
    private long started;
    private long lastLine;

    TrainingProgress(PrintWriter err, String task, boolean terminal, boolean checkpoints) {
        this.err = err;
        this.task = task;
        this.terminal = terminal;
        this.checkpoints = checkpoints;
    }

    static TrainingProgress to(PrintWriter err, String task) {
        return new TrainingProgress(err, task, isTerminal(), true);
    }

    /** For a training whose checkpoints nobody will see. */
    static TrainingProgress withoutCheckpoints(PrintWriter err, String task) {
        return new TrainingProgress(err, task, isTerminal(), false);
    }

    /** The launcher says whether stderr is a terminal, which Java cannot tell. */
    static boolean isTerminal() {
        return "1".equals(System.getenv("PEFT4J_TERMINAL"));
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        total = totalSteps;
        firstStep = doneSteps;
        started = System.nanoTime();
        lastLine = started - NANOS_BETWEEN_LINES;
        if (doneSteps > 0) {
            say("goes on after step " + doneSteps);
        }
        if (terminal) {
            bar =
                    new ProgressBarBuilder()
                            .setTaskName(task)
                            .setInitialMax(totalSteps)
                            .startsFrom(doneSteps, java.time.Duration.ZERO)
                            .setStyle(ProgressBarStyle.ASCII)
                            .setConsumer(new DelegatingProgressBarConsumer(this::redraw, WIDTH))
                            .build();
        }
    }

    private void redraw(String line) {
        err.print("\r" + line);
        err.flush();
    }

    @Override
    public void onGradientCheckpointing(boolean on, String reason) {
        say("gradient checkpointing is " + (on ? "on" : "off") + ": " + reason);
    }

    @Override
    public void onStep(TrainingStep step) {
        if (bar != null) {
            bar.stepTo(step.step());
            bar.setExtraMessage(
                    String.format(
                            Locale.ROOT,
                            " loss %.4f, %,.0f tokens/s",
                            step.loss(),
                            step.tokensPerSecond()));
            return;
        }
        long now = System.nanoTime();
        if (now - lastLine >= NANOS_BETWEEN_LINES || step.step() == total) {
            lastLine = now;
            say(
                    String.format(
                            Locale.ROOT,
                            "step %d/%d  loss %.4f  learning rate %.3g  %,.0f tokens/s  left %s",
                            step.step(),
                            total,
                            step.loss(),
                            step.learningRate(),
                            step.tokensPerSecond(),
                            left(now, step.step())));
        }
    }

    private String left(long now, int step) {
        double perStep = (now - started) / 1e9 / Math.max(1, step - firstStep);
        long seconds = Math.round(perStep * (total - step));
        return String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60);
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        say(
                String.format(
                        Locale.ROOT,
                        "step %d/%d  held-out loss %.4f%s",
                        step,
                        total,
                        result.loss(),
                        best ? "  (best)" : ""));
    }

    @Override
    public void onCheckpoint(int step, Path directory) {
        if (checkpoints) {
            say("checkpoint " + directory);
        }
    }

    @Override
    public void onMissingGradients(List<String> names) {
        say("no gradient reaches " + String.join(", ", names));
    }

    @Override
    public void onNote(String message) {
        say(message);
    }

    @Override
    public void onWarning(String message) {
        say("warning: " + message);
    }

    private void say(String line) {
        // over the bar, which draws itself again below
        err.println((bar == null ? "" : "\r" + " ".repeat(WIDTH) + "\r") + task + ": " + line);
        err.flush();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
            err.println();
        }
    }
}
