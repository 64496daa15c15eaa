package io.peft4j.cli;

import ai.djl.util.Progress;
import java.io.PrintWriter;
import java.util.Locale;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Tells how a download goes: a bar on a terminal, a line now and then elsewhere. */
final class FetchProgress implements Progress {

    private static final int WIDTH = 100;
    private static final long MEGABYTE = 1_000_000;
    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;

    private final PrintWriter err;
    private final boolean terminal;
    private @Nullable ProgressBar bar;
    private String what = "";
    private long total;
    private long done;
    private long lastLine;

    FetchProgress(PrintWriter err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    static FetchProgress to(PrintWriter err) {
        return new FetchProgress(err, TrainingProgress.isTerminal());
    }

    @Override
    public void reset(String message, long max, @Nullable String trailing) {
        what = message;
        total = max;
    }

    @Override
    public void start(long initial) {
        done = initial;
        lastLine = System.nanoTime();
        if (terminal) {
            bar =
                    new ProgressBarBuilder()
                            .setTaskName(what)
                            .setInitialMax(total)
                            .setUnit(" MB", MEGABYTE)
                            .showSpeed()
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
    public void increment(long increment) {
        update(done + increment);
    }

    @Override
    public void update(long progress, @Nullable String message) {
        done = progress;
        if (bar != null) {
            bar.stepTo(progress);
            return;
        }
        long now = System.nanoTime();
        if (now - lastLine >= NANOS_BETWEEN_LINES) {
            lastLine = now;
            say("fetching");
        }
    }

    @Override
    public void end() {
        if (bar != null) {
            bar.close();
            bar = null;
            err.println();
        } else {
            say("fetched");
        }
    }

    private void say(String verb) {
        err.println(
                String.format(
                        Locale.ROOT,
                        "%s %s: %.1f of %.1f MB",
                        verb,
                        what,
                        done / 1e6,
                        total / 1e6));
        err.flush();
    }
}
