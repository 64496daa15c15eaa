package io.peft4j.cli;

import io.peft4j.tuning.online.rejection.SamplingObserver;
import java.io.PrintWriter;
import java.util.List;

/** Tells how a sampling goes: one line that is written over on a terminal, lines elsewhere. */
final class SamplingProgress implements SamplingObserver, AutoCloseable {

    private static final long NANOS_BETWEEN_LINES = 5_000_000_000L;

    private final PrintWriter err;
    private final String task;
    private final boolean terminal;
    private int first = -1;
    private long started;
    private long lastLine;
    private boolean drawn;

    SamplingProgress(PrintWriter err, String task, boolean terminal) {
        this.err = err;
        this.task = task;
        this.terminal = terminal;
    }

    static SamplingProgress to(PrintWriter err, String task) {
        return new SamplingProgress(err, task, TrainingProgress.isTerminal());
    }

    @Override
    public void onProgress(int done, int total) {
        long now = System.nanoTime();
        if (first < 0) {
            first = done;
            started = now;
            lastLine = now - NANOS_BETWEEN_LINES;
            if (done > 0) {
                err.println(task + ": goes on after " + done + " of " + total + " prompts");
            }
            return;
        }
        String left = left(now, done, total);
        if (terminal) {
            drawn = true;
            err.print(
                    "\r"
                            + new ProgressLine(task, done, total, List.of("left " + left))
                                    .fit(TrainingProgress.width()));
            err.flush();
        } else if (now - lastLine >= NANOS_BETWEEN_LINES || done == total) {
            lastLine = now;
            err.println(task + ": prompt " + done + "/" + total + "  left " + left);
            err.flush();
        }
    }

    private String left(long now, int done, int total) {
        double each = (now - started) / 1e9 / Math.max(1, done - first);
        return ProgressLine.time(Math.round(each * (total - done)));
    }

    @Override
    public void close() {
        if (drawn) {
            err.println();
        }
    }
}
