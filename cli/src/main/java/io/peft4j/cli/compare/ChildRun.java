package io.peft4j.cli.compare;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A run in a process of its own. What it writes to stderr is passed on; its last line that begins
 * with {@code peft4j:} says why it failed. When its stdin ends it stops and leaves a checkpoint, so
 * that no child outlives a parent that was killed.
 */
final class ChildRun {

    static final String PREFIX = "peft4j: ";

    private static final int KILLED = 128 + 9;

    private final Agenda.Entry entry;
    private final Process process;
    private @Nullable String lastMessage;

    private ChildRun(Agenda.Entry entry, Process process) {
        this.entry = entry;
        this.process = process;
    }

    /**
     * Starts a process and a thread that listens to it.
     *
     * @param lines takes what it says
     * @param ended is told when it has ended and all is said
     */
    static ChildRun start(
            Agenda.Entry entry,
            ProcessBuilder builder,
            Consumer<String> lines,
            Consumer<ChildRun> ended)
            throws IOException {
        ChildRun run =
                new ChildRun(
                        entry, builder.redirectOutput(ProcessBuilder.Redirect.DISCARD).start());
        Thread listener = new Thread(() -> run.listen(lines, ended), "run-" + entry.name());
        listener.setDaemon(true);
        listener.start();
        return run;
    }

    private void listen(Consumer<String> lines, Consumer<ChildRun> ended) {
        try (BufferedReader reader =
                new BufferedReader(
                        new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (line.startsWith(PREFIX)) {
                    pass(lines);
                    lastMessage = line;
                } else {
                    lines.accept(line);
                }
            }
            if (process.waitFor() == 0) {
                pass(lines);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            ended.accept(this);
        }
    }

    private void pass(Consumer<String> lines) {
        if (lastMessage != null) {
            lines.accept(lastMessage);
            lastMessage = null;
        }
    }

    Agenda.Entry entry() {
        return entry;
    }

    int exitCode() {
        return process.exitValue();
    }

    /** Why it failed, in one line. */
    String failure() {
        if (lastMessage != null) {
            return lastMessage.substring(PREFIX.length());
        }
        return "its process ended with exit code "
                + exitCode()
                + (exitCode() == KILLED ? ": it was killed, as for want of memory" : "");
    }

    /** Asks it to stop: at the end of its stdin it writes a checkpoint and goes. */
    void stop() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            process.destroy(); // it has gone, or is as good as gone
        }
    }

    void awaitEnd(long nanos) throws InterruptedException {
        if (!process.waitFor(Math.max(0, nanos), TimeUnit.NANOSECONDS)) {
            process.destroyForcibly(); // files survive that
        }
    }
}
