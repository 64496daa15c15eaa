package io.peft4j.cli;

import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code compare}: trains with several methods and ranks, and shows which did what. */
@Command(
        name = "compare",
        description =
                "Trains an adapter for each method and rank and compares them: held-out loss, speed,"
                        + " memory. Without flags: on the embedded model and data, into ./out. The"
                        + " embedded model trains for 60 steps with learning rate 5e-3 unless told"
                        + " otherwise.")
final class CompareCommand implements Callable<Integer> {

    /** What to train, as given or embedded. */
    private record Inputs(Source model, Path data, Path evalData) {}

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
            names = "--methods",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "lora,dora",
            description = "The methods, with commas (default: ${DEFAULT-VALUE}).")
    private List<String> methods;

    @Option(
            names = "--ranks",
            paramLabel = "R",
            split = ",",
            defaultValue = "8,16",
            description = "The ranks, with commas (default: ${DEFAULT-VALUE}).")
    private List<Integer> ranks;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            defaultValue = "out",
            description =
                    "Where adapters and report go; a former comparison there is replaced (default:"
                            + " ${DEFAULT-VALUE}).")
    private Path output;

    @Option(names = "--json", description = "Prints results.json instead of the table.")
    private boolean json;

    @Mixin private AdapterOptions adapter;
    @Mixin private HyperParameters training;
    @Mixin private AnswersOption answers;
    @Mixin private ComputeOptions compute;

    @Override
    public Integer call() throws IOException {
        CompareOutput target = new CompareOutput(output);
        check(target);
        target.prepare();
        Inputs inputs = inputs(target);
        PrintWriter err = spec.commandLine().getErr();
        Comparison comparison;
        double tolerance;
        try (LoadedModel loaded = LoadedModel.open(inputs.model(), null, compute, err);
                GracefulStop stop = GracefulStop.begin()) {
            tolerance = MergeCheck.tolerance(loaded.model().computeDtype());
            MeasuredRuns measured =
                    new MeasuredRuns(
                            loaded,
                            inputs.model().name(),
                            Datasets.training(
                                    inputs.data(), loaded, training.maxLength(), answers, err),
                            Datasets.whole(inputs.evalData(), loaded, answers),
                            adapter,
                            training,
                            DataFiles.facts(inputs.data(), inputs.evalData()),
                            err);
            List<ComparedRun> runs = new ArrayList<>();
            for (String method : methods) {
                for (int rank : ranks) {
                    runs.add(measured.run(method, rank, target.run(method, rank)));
                }
            }
            comparison =
                    new Comparison(
                            inputs.model().name(),
                            inputs.data().toString(),
                            inputs.evalData().toString(),
                            runs);
        }
        write(target, comparison);
        show(target, comparison);
        requireMergesAgree(comparison, tolerance);
        return 0;
    }

    private void check(CompareOutput target) throws IOException {
        methods.forEach(method -> Methods.check("--methods", method, false));
        ranks.forEach(rank -> Checks.between("--ranks", rank, 1, 4096));
        Checks.distinct("--methods", methods);
        Checks.distinct("--ranks", ranks);
        adapter.check();
        training.check();
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
        target.check();
    }

    private Inputs inputs(CompareOutput target) throws IOException {
        if (model != null && data != null && evalData != null) {
            return new Inputs(model, data, evalData);
        }
        EmbeddedDefault.Paths embedded = EmbeddedDefault.copy(target.file("embedded"));
        return new Inputs(
                model != null ? model : Source.of(embedded.model()),
                data != null ? data : embedded.data(),
                evalData != null ? evalData : embedded.evalData());
    }

    private void write(CompareOutput target, Comparison comparison) throws IOException {
        AtomicFiles.writeString(target.file("results.json"), Json.text(comparison.json()) + "\n");
        HtmlReport.write(target.file("report.html"), comparison, training.describe());
        LossCurves.write(target.file("loss_curves.png"), comparison.runs());
    }

    private void show(CompareOutput target, Comparison comparison) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.text(comparison.json()));
        } else {
            out.print(comparison.table());
            out.println("report: " + target.file("report.html"));
        }
    }

    private static void requireMergesAgree(Comparison comparison, double tolerance) {
        for (ComparedRun run : comparison.runs()) {
            if (!(run.mergeDifference() <= tolerance)) {
                throw new IllegalStateException(
                        String.format(
                                Locale.ROOT,
                                "%s: merged and unmerged logits differ by %.3g, but at most %.0e is"
                                        + " expected",
                                run.label(),
                                run.mergeDifference(),
                                tolerance));
            }
        }
    }
}
