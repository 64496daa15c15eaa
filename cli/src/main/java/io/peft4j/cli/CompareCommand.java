package io.peft4j.cli;

import io.peft4j.cli.compare.Agenda;
import io.peft4j.cli.compare.Axes;
import io.peft4j.cli.compare.ComparedRun;
import io.peft4j.cli.compare.Comparison;
import io.peft4j.cli.compare.ExperimentFolder;
import io.peft4j.cli.compare.Grid;
import io.peft4j.cli.compare.RunFailure;
import io.peft4j.cli.compare.RunLock;
import io.peft4j.cli.compare.RunNames;
import io.peft4j.cli.compare.RunSpec;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code compare}: trains all combinations of a grid, and shows which did what. */
@Command(
        name = "compare",
        description =
                "Trains all combinations of methods, ranks, learning rates, targets and seeds and"
                        + " compares them: held-out loss with its spread over seeds, speed, memory."
                        + " Without flags: on the embedded model and data, into ./out. The embedded"
                        + " model trains for 60 steps with learning rate 5e-3 unless told"
                        + " otherwise.")
final class CompareCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Option(
            names = "--model",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description =
                    "The base model: a directory in Hugging Face's layout, or org/name of the hub"
                            + " (default: the embedded one).")
    private @Nullable Source model;

    @Option(
            names = "--data",
            paramLabel = "F.jsonl",
            description = "Training examples as JSON Lines (default: the embedded ones).")
    private @Nullable Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "F.jsonl",
            description = "Held-out examples as JSON Lines (default: the embedded ones).")
    private @Nullable Path evalData;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            defaultValue = "out",
            description = "Where adapters and report go (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Option(
            names = "--resume",
            description =
                    "Goes on with the comparison in --output: finished runs are kept, interrupted"
                            + " ones go on from their checkpoints, and the grid may have grown.")
    private boolean resume;

    @Option(names = "--overwrite", description = "Deletes the comparison in --output first.")
    private boolean overwrite;

    @Option(
            names = "--parallel",
            paramLabel = "N",
            description =
                    "Runs side by side, each in a process of its own with its share of the cores"
                            + " (default: by cores and memory; 1 on a GPU).")
    private @Nullable Integer parallel;

    @Option(
            names = "--save-steps",
            paramLabel = "N",
            description = "Writes a checkpoint every N steps (default: ten in a run).")
    private @Nullable Integer saveSteps;

    @Option(names = "--json", description = "Prints results.json instead of the table.")
    private boolean json;

    /** The directory of the one run that this process is to do for its parent. */
    @Option(names = "--worker", hidden = true)
    private @Nullable String worker;

    /** How many such processes there are. */
    @Option(names = "--side-by-side", hidden = true, defaultValue = "1")
    private int sideBySide;

    @Mixin private GridOptions gridOptions;
    @Mixin private AdapterOptions adapter;
    @Mixin private HyperParameters training;
    @Mixin private AnswersOption answers;
    @Mixin private ComputeOptions compute;

    @Override
    public Integer call() throws IOException, InterruptedException {
        check();
        Grid grid = gridOptions.grid(adapter, training);
        RunNames names = new RunNames(training.defaultLearningRate(), HyperParameters.SEED);
        ExperimentFolder folder = new ExperimentFolder(output);
        if (worker != null) {
            work(worker, grid, names, folder);
            return ExitCode.OK;
        }
        folder.check(resume, overwrite);
        PrintWriter err = spec.commandLine().getErr();
        try (RunLock lock = RunLock.take(output, Duration.ZERO);
                GracefulStop stop = GracefulStop.begin()) {
            if (overwrite) {
                folder.clear();
            }
            RunSettings settings = settings(inputs(folder, err));
            settings.checkTargets(grid.variants());
            CompareInputs.Hashes hashes = settings.inputs().hashes();
            Agenda agenda =
                    Agenda.of(grid.runs(), names, folder, run -> settings.text(run, hashes));
            tellLeftOut(agenda, folder, err);
            Map<Agenda.Entry, RunFailure> failures = runs(agenda, settings, err).run(parallel);
            List<ComparedRun> runs = CompareRuns.results(agenda, failures);
            return failures.size() == runs.size()
                    ? failures.values().iterator().next().exitCode()
                    : report(RunFacts.of(settings, hashes, grid, runs), settings, runs, folder);
        }
    }

    private void check() {
        gridOptions.check(spec);
        Checks.optionalAtLeast("--parallel", parallel, 1);
        Checks.optionalAtLeast("--save-steps", saveSteps, 1);
        if (resume && overwrite) {
            throw new UsageException("--resume cannot be given with --overwrite");
        }
        adapter.check();
        training.check();
        if (gridOptions.fullOnly()) {
            adapter.requireNone("--methods full trains the model's own weights");
        }
        if (gridOptions.grid(adapter, training).trainsInFull()) {
            training.requireNoLoraPlus("full, of --methods, trains no factors of LoRA");
            compute.requireFloat32("full, of --methods, trains the weights themselves, in float32");
        }
        compute.check();
        if ((data == null) != (evalData == null)) {
            throw new UsageException(
                    "--data and --eval-data belong together, but only "
                            + (data == null ? "--eval-data" : "--data")
                            + " was given");
        }
        if (model != null) {
            model.check("--model");
        }
        if (data != null && evalData != null) {
            Checks.file("--data", data);
            Checks.file("--eval-data", evalData);
        }
        if (model == null) {
            EmbeddedDefault.check();
            training.preferShortRun();
        }
    }

    private CompareInputs inputs(ExperimentFolder folder, PrintWriter err) throws IOException {
        Source base = model;
        Path rows = data;
        Path heldOut = evalData;
        if (base == null || rows == null || heldOut == null) {
            EmbeddedDefault.Paths embedded = EmbeddedDefault.copy(folder.file("embedded"));
            base = base != null ? base : Source.of(embedded.model());
            rows = rows != null ? rows : embedded.data();
            heldOut = heldOut != null ? heldOut : embedded.evalData();
        }
        return CompareInputs.read(base, rows, heldOut, training, answers, compute.place(), err);
    }

    private RunSettings settings(CompareInputs inputs) throws IOException {
        Dtype dtype = compute.choose(CausalLm.storedDtype(inputs.directory()));
        return new RunSettings(inputs, adapter, training, dtype);
    }

    private CompareRuns runs(Agenda agenda, RunSettings settings, PrintWriter err) {
        return new CompareRuns(
                agenda,
                settings,
                compute,
                saveSteps,
                spec.root().commandLine().getParseResult().originalArgs(),
                err);
    }

    /** Does one run for a parent process, which has checked and told all there is to tell. */
    private void work(String name, Grid grid, RunNames names, ExperimentFolder folder)
            throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        ParentWatch.begin();
        try (GracefulStop stop = GracefulStop.begin();
                MeasuredRuns measured =
                        new MeasuredRuns(
                                settings(inputs(folder, new PrintWriter(Writer.nullWriter()))),
                                compute,
                                saveSteps,
                                sideBySide,
                                err)) {
            Axes axes = Axes.of(grid.runs());
            RunSpec run =
                    grid.runs().stream()
                            .filter(any -> names.of(any).equals(name))
                            .findFirst()
                            .orElseThrow(() -> new UsageException("--worker: no run " + name));
            measured.run(run, axes.label(run), folder.file(name));
        }
    }

    private static void tellLeftOut(Agenda agenda, ExperimentFolder folder, PrintWriter err)
            throws IOException {
        List<String> others = new ArrayList<>(folder.runs());
        agenda.entries().forEach(entry -> others.remove(entry.name()));
        if (!others.isEmpty()) {
            err.println("compare: left out, as no run of this grid: " + String.join(", ", others));
        }
    }

    private int report(
            Map<String, String> facts,
            RunSettings settings,
            List<ComparedRun> runs,
            ExperimentFolder folder)
            throws IOException {
        CompareInputs inputs = settings.inputs();
        Comparison comparison =
                new Comparison(
                        inputs.source().name(),
                        inputs.data().toString(),
                        inputs.evalData().toString(),
                        facts,
                        runs);
        CompareReport report = new CompareReport(comparison, folder);
        report.write();
        report.show(spec.commandLine().getOut(), json);
        report.requireMergesAgree(MergeCheck.tolerance(settings.dtype()));
        return comparison.failed().isEmpty() ? ExitCode.OK : ExitCode.SOFTWARE;
    }
}
