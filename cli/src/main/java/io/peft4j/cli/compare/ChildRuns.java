package io.peft4j.cli.compare;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/**
 * Runs of an experiment side by side, a process for each: DJL has one gradient collector per
 * process, so threads would not do. A run that fails leaves the others alone.
 */
public final class ChildRuns {

    /** As the shell has it for a process that SIGINT ended. */
    private static final int INTERRUPTED = 130;

    private static final Duration PATIENCE = Duration.ofSeconds(55);

    private final List<String> command;
    private final SideBySide sideBySide;
    private final Consumer<String> lines;

    /**
     * Prepares the runs.
     *
     * @param command starts this program for one run; the run's name comes behind it
     * @param sideBySide how many at a time
     * @param lines takes what they tell of their progress
     */
    public ChildRuns(List<String> command, SideBySide sideBySide, Consumer<String> lines) {
        this.command = List.copyOf(command);
        this.sideBySide = sideBySide;
        this.lines = lines;
    }

    /**
     * Does the runs.
     *
     * @param toDo the runs
     * @param finished hears of each that has ended, well or not
     * @return the failed ones
     * @throws InterruptedException if this thread was interrupted, or a child: all children have
     *     then written their checkpoints and ended
     * @throws IOException if a process cannot be started
     */
    public Map<Agenda.Entry, RunFailure> run(
            List<Agenda.Entry> toDo, Consumer<Agenda.Entry> finished)
            throws InterruptedException, IOException {
        Deque<Agenda.Entry> waiting = new ArrayDeque<>(toDo);
        List<ChildRun> running = new ArrayList<>();
        BlockingQueue<ChildRun> ended = new LinkedBlockingQueue<>();
        Map<Agenda.Entry, RunFailure> failures = new LinkedHashMap<>();
        try {
            while (!waiting.isEmpty() || !running.isEmpty()) {
                while (!waiting.isEmpty() && running.size() < sideBySide.runs()) {
                    running.add(start(waiting.remove(), ended::add));
                }
                ChildRun run = ended.take();
                running.remove(run);
                if (run.exitCode() == INTERRUPTED) {
                    throw new InterruptedException(run.failure());
                }
                if (run.exitCode() != 0) {
                    failures.put(run.entry(), new RunFailure(run.failure(), run.exitCode()));
                }
                finished.accept(run.entry());
            }
            return failures;
        } finally {
            stop(running);
        }
    }

    private ChildRun start(Agenda.Entry entry, Consumer<ChildRun> ended) throws IOException {
        List<String> words = new ArrayList<>(command);
        words.add(entry.name());
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().remove("PEFT4J_TERMINAL"); // bars of several would overwrite
        sideBySide
                .threads()
                .ifPresent(
                        threads ->
                                builder.environment()
                                        .putIfAbsent("OMP_NUM_THREADS", String.valueOf(threads)));
        return ChildRun.start(entry, builder, lines, ended);
    }

    private static void stop(List<ChildRun> running) {
        running.forEach(ChildRun::stop);
        boolean interrupted = Thread.interrupted();
        long end = System.nanoTime() + PATIENCE.toNanos();
        for (ChildRun run : running) {
            try {
                run.awaitEnd(end - System.nanoTime());
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
