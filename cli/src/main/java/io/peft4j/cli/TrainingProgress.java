package io.peft4j.cli;

import ai.djl.Device;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingStep;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressState;
import org.jspecify.annotations.Nullable;

/** Tells how a training goes: a bar on a terminal, a line now and then elsewhere. */
final class TrainingProgress implements TrainingObserver, AutoCloseable {

    private static final int DEFAULT_WIDTH = 80;
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;

    /** Lines become rarer as a training goes on: the next comes after a twentieth of its time. */
    private static final int SHARE_BETWEEN_LINES = 20;

    private final PrintWriter err;
    private final String task;
    private final boolean terminal;
    private final boolean checkpoints;
    private final int width;
    private Device device = Device.cpu();
    private @Nullable ProgressBar bar;
    private int total;
    private int firstStep;
    private long started;
    private long lastLine;

    // the bar is drawn by a thread of its own
    private volatile @Nullable TrainingStep last;
    private volatile long lastStepEnded;

    TrainingProgress(PrintWriter err, String task, boolean terminal, boolean checkpoints) {
        this.err = err;
        this.task = task;
        this.terminal = terminal;
        this.checkpoints = checkpoints;
        width = width();
    }

    /** What the launcher found, less one column, in which some terminals would wrap. */
    static int width() {
        String columns = System.getenv("PEFT4J_COLUMNS");
        try {
            int found = columns == null ? 0 : Integer.parseInt(columns);
            return (found > 0 ? found : DEFAULT_WIDTH) - 1;
        } catch (NumberFormatException e) {
            return DEFAULT_WIDTH - 1;
        }
    }

    static TrainingProgress to(PrintWriter err, String task) {
        return new TrainingProgress(err, task, isTerminal(), true);
    }

    /** For a training whose checkpoints nobody will see. */
    static TrainingProgress withoutCheckpoints(PrintWriter err, String task) {
        return new TrainingProgress(err, task, isTerminal(), false);
    }

    /** Tells the memory of a device, not the process's own. */
    TrainingProgress on(Device computing) {
        device = computing;
        return this;
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
        lastStepEnded = started;
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
                            .setRenderer(this::render)
                            .setConsumer(new DelegatingProgressBarConsumer(this::redraw, width))
                            .build();
        }
    }

    private String render(ProgressState state, int columns) {
        List<String> notes = new ArrayList<>();
        TrainingStep step = last;
        if (step != null) {
            notes.add("left " + left(System.nanoTime(), step.step()));
            notes.add(String.format(Locale.ROOT, "loss %.4f", step.loss()));
            notes.add(String.format(Locale.ROOT, "%,.0f tok/s", step.tokensPerSecond()));
            memory().ifPresent(notes::add);
        }
        return new ProgressLine(task, state.getCurrent(), total, notes).fit(columns);
    }

    private Optional<String> memory() {
        OptionalLong bytes = MemoryInUse.of(device);
        return bytes.isEmpty()
                ? Optional.empty()
                : Optional.of(String.format(Locale.ROOT, "%.2f GB", bytes.getAsLong() / 1e9));
    }

    private synchronized void redraw(String line) {
        err.print("\r" + line);
        err.flush();
    }

    @Override
    public void onGradientCheckpointing(boolean on, String reason) {
        say("gradient checkpointing is " + (on ? "on" : "off") + ": " + reason);
    }

    @Override
    public void onStep(TrainingStep step) {
        long now = System.nanoTime();
        last = step;
        lastStepEnded = now;
        if (bar != null) {
            bar.stepTo(step.step());
            return;
        }
        long between = Math.max(NANOS_BETWEEN_LINES, (now - started) / SHARE_BETWEEN_LINES);
        if (now - lastLine >= between || step.step() == total) {
            lastLine = now;
            say(
                    String.format(
                            Locale.ROOT,
                            "step %d/%d  loss %.4f  learning rate %.3g  %,.0f tokens/s  left %s%s",
                            step.step(),
                            total,
                            step.loss(),
                            step.learningRate(),
                            step.tokensPerSecond(),
                            left(now, step.step()),
                            memory().map(text -> "  " + text).orElse("")));
        }
    }

    /** By the steps so far, evaluations and checkpoints among them. */
    private String left(long now, int step) {
        double perStep = (lastStepEnded - started) / 1e9 / Math.max(1, step - firstStep);
        double since = (now - lastStepEnded) / 1e9;
        return ProgressLine.time(Math.round(Math.max(0, perStep * (total - step) - since)));
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        Double reward = result.metrics().get("reward");
        say(
                String.format(
                        Locale.ROOT,
                        "step %d/%d  held-out %s %.4f%s",
                        step,
                        total,
                        reward == null ? "loss" : "reward",
                        reward == null ? result.loss() : reward,
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

    private synchronized void say(String line) {
        // over the bar, which draws itself again below
        err.println((bar == null ? "" : "\r" + " ".repeat(width) + "\r") + task + ": " + line);
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
