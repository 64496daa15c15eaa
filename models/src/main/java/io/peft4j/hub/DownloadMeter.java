package io.peft4j.hub;

import ai.djl.util.Progress;
import org.jspecify.annotations.Nullable;

/** Adds up what several connections received; a range that begins again takes its bytes back. */
final class DownloadMeter {

    private final @Nullable Progress progress;
    private long done;

    DownloadMeter(@Nullable Progress progress) {
        this.progress = progress;
    }

    synchronized void start(String what, long total) {
        done = 0;
        if (progress != null) {
            progress.reset(what, total);
            progress.start(0);
        }
    }

    synchronized void add(long bytes) {
        done += bytes;
        if (progress != null) {
            progress.update(done);
        }
    }

    synchronized void end() {
        if (progress != null) {
            progress.end();
        }
    }
}
