package io.peft4j.cli;

import ai.djl.Device;
import io.peft4j.cli.compare.Agenda;
import io.peft4j.cli.compare.Axes;
import io.peft4j.cli.compare.ChildJvm;
import io.peft4j.cli.compare.ChildRuns;
import io.peft4j.cli.compare.ComparedRun;
import io.peft4j.cli.compare.RunFailure;
import io.peft4j.cli.compare.RunFile;
import io.peft4j.cli.compare.RunMetrics;
import io.peft4j.cli.compare.RunResult;
import io.peft4j.cli.compare.SideBySide;
import io.peft4j.models.Computation;
import io.peft4j.tuning.AvailableMemory;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Does what is left of a comparison's runs: in this process, or in several side by side. */
final class CompareRuns {

    private final Agenda agenda;
    private final RunSettings settings;
    private final ComputeOptions compute;
    private final @Nullable Integer saveSteps;
    private final List<String> args;
    private final PrintWriter err;
    private final Axes axes;
    private final long started = System.nanoTime();
    private int ended;

    /**
     * Prepares the runs.
     *
     * @param args the arguments of this process, from which a child's are made
     */
    CompareRuns(
            Agenda agenda,
            RunSettings settings,
            ComputeOptions compute,
            @Nullable Integer saveSteps,
            List<String> args,
            PrintWriter err) {
        this.agenda = agenda;
        this.settings = settings;
        this.compute = compute;
        this.saveSteps = saveSteps;
        this.args = args;
        this.err = err;
        axes = Axes.of(agenda.entries().stream().map(Agenda.Entry::spec).toList());
    }

    /**
     * Does the runs. One that fails leaves the others alone.
     *
     * @param parallel how many side by side; null to choose
     * @return the failed ones
     */
    Map<Agenda.Entry, RunFailure> run(@Nullable Integer parallel)
            throws IOException, InterruptedException {
        List<Agenda.Entry> toDo = agenda.toDo();
        int done = agenda.entries().size() - toDo.size();
        if (done > 0) {
            err.println(
                    "compare: "
                            + done
                            + " of "
                            + agenda.entries().size()
                            + " runs were done before");
        }
        if (toDo.isEmpty()) {
            return Map.of();
        }
        SideBySide sideBySide = sideBySide(parallel, toDo);
        for (Agenda.Entry entry : toDo) {
            if (RunFile.read(entry.directory()).isEmpty()) {
                RunFile.begun(entry.settings()).write(entry.directory());
            }
        }
        Map<Agenda.Entry, RunFailure> failures;
        try {
            failures = sideBySide.runs() == 1 ? here(toDo) : inChildren(toDo, sideBySide);
        } catch (InterruptedException | RuntimeException | IOException e) {
            tellHowToGoOn();
            throw e;
        }
        failures.forEach(
                (entry, failure) ->
                        err.println("peft4j: " + label(entry) + ": " + failure.message()));
        return failures;
    }

    private Map<Agenda.Entry, RunFailure> here(List<Agenda.Entry> toDo) throws IOException {
        Map<Agenda.Entry, RunFailure> failures = new LinkedHashMap<>();
        try (MeasuredRuns runs = new MeasuredRuns(settings, compute, saveSteps, 1, err)) {
            for (Agenda.Entry entry : toDo) {
                try {
                    runs.run(entry.spec(), label(entry), entry.directory());
                } catch (IOException | RuntimeException e) {
                    int code = Failure.exitCode(e);
                    if (code == Failure.INTERRUPTED) {
                        throw e;
                    }
                    failures.put(entry, new RunFailure(Failure.line(e), code));
                }
                tellProgress(entry, toDo.size());
            }
        }
        return failures;
    }

    private Map<Agenda.Entry, RunFailure> inChildren(List<Agenda.Entry> toDo, SideBySide sideBySide)
            throws IOException, InterruptedException {
        err.println(
                "compare: "
                        + toDo.size()
                        + " runs, "
                        + sideBySide.runs()
                        + " side by side ("
                        + sideBySide.reason()
                        + ")");
        List<String> words = new ArrayList<>(args);
        words.addAll(List.of("--side-by-side", String.valueOf(sideBySide.runs()), "--worker"));
        return new ChildRuns(ChildJvm.command(Peft4j.class.getName(), words), sideBySide, this::say)
                .run(toDo, entry -> tellProgress(entry, toDo.size()));
    }

    private SideBySide sideBySide(@Nullable Integer parallel, List<Agenda.Entry> toDo) {
        int cores = Runtime.getRuntime().availableProcessors();
        boolean readable = settings.inputs().canBeReadAgain();
        if (parallel != null) {
            if (parallel > 1 && !readable) {
                throw new UsageException(
                        "--parallel "
                                + parallel
                                + " needs files for --data and --eval-data, since each process"
                                + " reads them");
            }
            return SideBySide.given(parallel, toDo.size(), cores);
        }
        if (compute.place().device().isGpu() || !readable || cores < 4) {
            return SideBySide.given(1, toDo.size(), cores);
        }
        return SideBySide.chosen(
                toDo.size(), cores, largest(toDo), AvailableMemory.of(Device.cpu()));
    }

    /** The memory of the largest run; empty if one of them cannot be foretold. */
    private OptionalLong largest(List<Agenda.Entry> toDo) {
        CompareInputs inputs = settings.inputs();
        Computation computation = Computation.of(settings.dtype(), Device.cpu());
        int rows = Math.min(settings.training().batchSize(), inputs.examples().size());
        long largest = 0;
        for (Agenda.Entry entry : toDo) {
            if (entry.spec().variant().rank().isEmpty()) {
                return OptionalLong.empty();
            }
            OptionalLong peak =
                    DryRun.plan(
                                    inputs.config(),
                                    settings.adapter(entry.spec().variant()),
                                    computation,
                                    rows,
                                    inputs.longest())
                            .peak(false);
            if (peak.isEmpty()) {
                return OptionalLong.empty();
            }
            largest = Math.max(largest, peak.getAsLong());
        }
        return OptionalLong.of(largest);
    }

    /** Reads what the runs have left, in the grid's order. */
    static List<ComparedRun> results(Agenda agenda, Map<Agenda.Entry, RunFailure> failures)
            throws IOException {
        List<ComparedRun> runs = new ArrayList<>();
        for (Agenda.Entry entry : agenda.entries()) {
            RunFailure failure = failures.get(entry);
            Optional<RunResult> result =
                    failure != null
                            ? Optional.empty()
                            : RunFile.read(entry.directory()).flatMap(RunFile::result);
            runs.add(
                    result.isPresent()
                            ? ComparedRun.finished(
                                    entry.spec(),
                                    entry.directory(),
                                    result.get(),
                                    RunMetrics.read(entry.directory()))
                            : ComparedRun.failed(
                                    entry.spec(),
                                    entry.directory(),
                                    failure == null ? "it left no result" : failure.message()));
        }
        return runs;
    }

    private String label(Agenda.Entry entry) {
        return axes.label(entry.spec());
    }

    private void tellProgress(Agenda.Entry entry, int toDo) {
        ended++;
        double perRun = (System.nanoTime() - started) / 1e9 / ended;
        long left = Math.round(perRun * (toDo - ended));
        say(
                String.format(
                        Locale.ROOT,
                        "compare: %s has ended, %d of %d%s",
                        label(entry),
                        ended,
                        toDo,
                        ended == toDo
                                ? ""
                                : String.format(
                                        Locale.ROOT,
                                        ", left about %d:%02d",
                                        left / 60,
                                        left % 60)));
    }

    private void tellHowToGoOn() throws IOException {
        boolean interrupted = Thread.interrupted(); // which would close the files
        int done = 0;
        for (Agenda.Entry entry : agenda.entries()) {
            done += RunFile.read(entry.directory()).flatMap(RunFile::result).isPresent() ? 1 : 0;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        say(
                "compare: "
                        + done
                        + " of "
                        + agenda.entries().size()
                        + " runs are done; the same command with --resume goes on");
    }

    private void say(String line) {
        err.println(line);
        err.flush();
    }
}
