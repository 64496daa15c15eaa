package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.rejection.RejectionConfig;
import io.peft4j.tuning.online.rejection.RejectionReport;
import io.peft4j.tuning.online.rejection.RejectionSampler;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
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

/** {@code rejection-sample}: data for fine-tuning, of a model's own best answers. */
@Command(
        name = "rejection-sample",
        description =
                "Samples several answers to each prompt, judges them, and writes the best as data"
                        + " for train. The figures go to stdout and, beside F.jsonl, to"
                        + " F.stats.json.")
final class RejectionSampleCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private RewardOptions rewards;
    @Mixin private SamplingOptions sampling;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--adapter",
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private @Nullable Source adapter;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "F.jsonl",
            description =
                    "Prompts as JSON Lines, {\"prompt\": …}, a text or messages; what else a row"
                            + " has is for the rewards.")
    private Path data;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "F.jsonl",
            description = "Where the rows go: prompt, completion and reward.")
    private Path output;

    @Option(
            names = "--num-generations",
            paramLabel = "K",
            defaultValue = "8",
            description = "How many answers each prompt gets (default: ${DEFAULT-VALUE}).")
    private int numGenerations;

    @Option(
            names = "--keep",
            paramLabel = "WHICH",
            defaultValue = "best",
            description =
                    "best: the best answer to a prompt, if it reaches the threshold; all: all that"
                            + " reach it (default: ${DEFAULT-VALUE}).")
    private String keep;

    @Option(
            names = "--threshold",
            paramLabel = "T",
            description = "The least reward of an answer that is kept (default: none).")
    private @Nullable Double threshold;

    @Option(
            names = "--keep-unfinished",
            description =
                    "Keeps answers, too, that were cut at --max-new-tokens; train learns to end"
                            + " where they were cut.")
    private boolean keepUnfinished;

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            defaultValue = "8",
            description = "Answers that are sampled together (default: ${DEFAULT-VALUE}).")
    private int batchSize;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "Decides what is sampled (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--resume",
            description = "Goes on with the run that was interrupted at the same --output.")
    private boolean resume;

    @Option(names = "--json", description = "Prints one JSON object at the end.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        RejectionConfig config = check();
        PrintWriter err = spec.commandLine().getErr();
        try (LoadedModel loaded = LoadedModel.open(base.source(), adapter, compute, err)) {
            List<Prompt> prompts = sampling.prompts(data, loaded, err);
            List<Reward> judges =
                    rewards.open(
                            loaded,
                            rewards.hasModels() ? loaded.adapters() : null,
                            prompts,
                            batchSize);
            CompletionSampler sampler =
                    new CompletionSampler(
                            loaded.model(),
                            loaded.requireTokenizer(),
                            sampling.config(loaded, prompts),
                            batchSize);
            try (GracefulStop stop = GracefulStop.begin();
                    SamplingProgress progress = SamplingProgress.to(err, "rejection-sample")) {
                RejectionReport report =
                        new RejectionSampler(sampler, judges, config)
                                .run(prompts, output, loaded.identity(), resume, progress);
                print(report);
            }
        }
        return 0;
    }

    private void print(RejectionReport report) {
        if (report.accepted() == 0) {
            spec.commandLine()
                    .getErr()
                    .println(
                            "peft4j: warning: no answer was kept: "
                                    + (report.unfinished() == report.samples()
                                            ? "all were cut at --max-new-tokens"
                                            : "see --threshold"));
        }
        JsonObject object = report.json();
        object.addProperty("output", output.toString());
        spec.commandLine()
                .getOut()
                .print(json ? Json.text(object) + "\n" : text(report) + "wrote " + output + "\n");
    }

    private static String text(RejectionReport report) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("all", "", number(report.meanReward()), number(report.bestReward())));
        report.rewards()
                .forEach(
                        (name, judge) ->
                                rows.add(
                                        List.of(
                                                name,
                                                number(judge.weight()),
                                                number(judge.mean()),
                                                number(judge.best()))));
        return TextTable.of(List.of("reward", "weight", "mean", "best of a prompt"), rows)
                + String.format(
                        Locale.ROOT,
                        "kept %d of %d answers (%.1f%%) to %d of %d prompts, mean reward %.4f;"
                                + " %d duplicates, %d unfinished%n",
                        report.accepted(),
                        report.samples(),
                        100 * report.acceptedShare(),
                        report.answeredPrompts(),
                        report.prompts(),
                        report.acceptedReward(),
                        report.duplicates(),
                        report.unfinished());
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    private RejectionConfig check() {
        base.check();
        compute.check();
        Checks.file("--data", data);
        Checks.atLeast("--num-generations", numGenerations, 1);
        Checks.atLeast("--batch-size", batchSize, 1);
        sampling.preferTemperature(1);
        sampling.check();
        if (numGenerations > 1) {
            sampling.requireChance("--num-generations " + numGenerations);
        }
        if (adapter != null) {
            adapter.check("--adapter");
        }
        rewards.check();
        checkOutput();
        RejectionConfig.Keep which =
                switch (keep) {
                    case "best" -> RejectionConfig.Keep.BEST;
                    case "all" -> RejectionConfig.Keep.ALL;
                    default ->
                            throw new UsageException(
                                    "--keep must be best or all, but is \"" + keep + "\"");
                };
        if (which == RejectionConfig.Keep.ALL && threshold == null) {
            throw new UsageException("--keep all needs --threshold");
        }
        if (threshold != null && !Double.isFinite(threshold)) {
            throw new UsageException("--threshold must be a finite number, but is " + threshold);
        }
        RejectionConfig.Builder config =
                RejectionConfig.builder()
                        .optNumGenerations(numGenerations)
                        .optKeep(which)
                        .optKeepUnfinished(keepUnfinished)
                        .optSeed(seed);
        return threshold == null ? config.build() : config.optThreshold(threshold).build();
    }

    private void checkOutput() {
        if (Files.isDirectory(output)) {
            throw new UsageException("--output: expected a file, found a directory: " + output);
        }
        Path parent = output.toAbsolutePath().getParent();
        if (parent != null) {
            Checks.directory("--output", parent);
        }
        for (Path file : List.of(output, RejectionSampler.partial(output))) {
            if (!resume && Files.exists(file)) {
                throw new UsageException(
                        "--output: "
                                + file
                                + " exists already; --resume goes on with a run, or choose another"
                                + " file");
            }
        }
    }
}
