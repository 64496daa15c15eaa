package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.cli.compare.RunLock;
import io.peft4j.cli.pipeline.PipelineFile;
import io.peft4j.cli.pipeline.PipelineFolder;
import io.peft4j.cli.pipeline.PipelineReport;
import io.peft4j.cli.pipeline.PipelineResults;
import io.peft4j.cli.pipeline.Place;
import io.peft4j.cli.pipeline.PlannedStage;
import io.peft4j.files.AtomicFiles;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code pipeline}: stages of training one after another, from one file. */
@Command(
        name = "pipeline",
        description =
                "Does the stages of a YAML file one after another, each a command with its flags,"
                        + " and reports on all of them. Called again, it passes over what is"
                        + " finished and goes on with what is not. Without a file: the embedded"
                        + " pipeline, on the embedded model and data.")
final class PipelineCommand implements Callable<Integer> {

    /** Beside the embedded model. */
    private static final String EMBEDDED = "embedded/pipeline.yaml";

    @Spec private CommandSpec spec;

    @Parameters(
            arity = "0..1",
            paramLabel = "FILE.yaml",
            description = "The stages (default: the embedded pipeline).")
    private @Nullable Path file;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            description = "Where all goes (default: what the file says).")
    private @Nullable Path output;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description =
                    "Says a flag otherwise than the file: FLAG=VALUE for all stages,"
                            + " STAGE.FLAG=VALUE for one.")
    private Map<String, String> changes = new LinkedHashMap<>();

    @Option(
            names = "--dry-run",
            description =
                    "Does and writes nothing, and prints the commands as one would type them.")
    private boolean dryRun;

    @Option(names = "--json", description = "Prints results.json instead of the table.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        PipelineFile pipeline = read();
        Path directory = directory(pipeline);
        PipelinePlan plan = PipelinePlan.of(pipeline, directory);
        if (dryRun) {
            print(plan.stages());
            return ExitCode.OK;
        }
        PrintWriter err = spec.commandLine().getErr();
        try (RunLock lock = RunLock.take(directory, Duration.ZERO)) {
            PipelineFolder folder = PipelineFolder.open(directory);
            if (plan.usesEmbedded()) {
                EmbeddedDefault.copyAll(folder.file(StageReferences.EMBEDDED));
            }
            int code = new PipelineRun(folder, isVerbose(), err).run(plan.stages());
            return code == ExitCode.OK ? report(plan.stages(), folder) : code;
        }
    }

    private PipelineFile read() throws IOException {
        Path source = file;
        if (source == null) {
            source = TestData.path(EMBEDDED);
        } else {
            Checks.file("FILE.yaml", source);
        }
        PipelineFile pipeline = PipelineFile.read(source);
        for (Map.Entry<String, String> change : changes.entrySet()) {
            pipeline = pipeline.with(change.getKey(), change.getValue(), new Place("--set"));
        }
        return pipeline;
    }

    private Path directory(PipelineFile pipeline) {
        if (output != null) {
            return output;
        }
        return pipeline.output()
                .map(setting -> Path.of(setting.text()))
                .orElseThrow(
                        () ->
                                new UsageException(
                                        "say where all goes, by \"output\" in the file or by"
                                                + " --output"));
    }

    private void print(List<PlannedStage> stages) {
        PrintWriter out = spec.commandLine().getOut();
        if (!json) {
            for (PlannedStage stage : stages) {
                out.println("# " + stage.name());
                out.println(PipelineReport.command(stage));
            }
            return;
        }
        JsonArray list = new JsonArray();
        for (PlannedStage stage : stages) {
            JsonObject object = new JsonObject();
            object.addProperty("stage", stage.name());
            JsonArray words = new JsonArray();
            words.add(stage.command());
            stage.flags().forEach(words::add);
            object.add("command", words);
            list.add(object);
        }
        out.println(Json.text(list));
    }

    private int report(List<PlannedStage> stages, PipelineFolder folder) throws IOException {
        PipelineResults results = PipelineResults.read(stages, folder);
        String name = file == null ? "the embedded pipeline" : file.toString();
        Path page = folder.file("report.html");
        AtomicFiles.writeString(folder.file("results.json"), Json.text(results.json()) + "\n");
        AtomicFiles.writeString(page, PipelineReport.page(results, name, facts(name)));
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.text(results.json()));
        } else {
            out.print(TextTable.of(results.columns(), results.rows()));
            out.println("report: " + page);
        }
        return ExitCode.OK;
    }

    private static Map<String, String> facts(String name) throws IOException {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("pipeline", name);
        facts.put("software", String.join("; ", new Version().getVersion()));
        facts.put("machine", RunFacts.machine());
        facts.put("report written", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return facts;
    }

    private boolean isVerbose() {
        return spec.root().commandLine().getParseResult().originalArgs().contains("--verbose");
    }
}
