package io.peft4j.cli;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.peft4j.cli.pipeline.PipelineFolder;
import io.peft4j.cli.pipeline.PipelineFolder.Decision;
import io.peft4j.cli.pipeline.PlannedStage;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ExitCode;

/**
 * Does the stages of a pipeline in this process, by the commands' own objects.
 *
 * @param folder what is done already
 * @param verbose whether errors are to show where they came from
 * @param err takes progress and errors
 */
record PipelineRun(PipelineFolder folder, boolean verbose, PrintWriter err) {

    private static final double NANOS = 1e9;

    /**
     * Does what is left.
     *
     * @return 0, or the exit code of the stage that failed, whose message was printed
     */
    int run(List<PlannedStage> stages) throws IOException {
        for (int i = 0; i < stages.size(); i++) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted before " + stages.get(i).name());
            }
            String label =
                    String.format("pipeline: %d/%d %s", i + 1, stages.size(), stages.get(i).name());
            int code = run(stages.get(i), label);
            if (code != ExitCode.OK) {
                err.println(label + " was not finished; the same command goes on with it");
                return code;
            }
        }
        return ExitCode.OK;
    }

    private int run(PlannedStage stage, String label) throws IOException {
        Decision decision = folder.begin(stage);
        boolean goesOn = decision.todo() == PipelineFolder.Todo.THE_REST;
        if (decision.todo() == PipelineFolder.Todo.NOTHING) {
            err.println(label + ": finished before");
            return ExitCode.OK;
        }
        err.println(
                label
                        + (goesOn ? ": goes on" : "")
                        + (decision.reason().isEmpty() ? "" : ": again, as " + decision.reason()));
        List<String> args = new ArrayList<>(List.of(stage.command()));
        args.addAll(stage.flags());
        args.add("--json");
        if (goesOn) {
            args.add("--resume");
        }
        if (verbose) {
            args.add("--verbose");
        }
        if (stage.output().isPresent()) {
            Files.createDirectories(
                    stage.output().get()); // a command that writes a file makes none
        }
        StringWriter printed = new StringWriter();
        long begin = System.nanoTime();
        int code = Peft4j.run(args.toArray(new String[0]), new PrintWriter(printed), err);
        double seconds = (System.nanoTime() - begin) / NANOS;
        boolean interrupted = Thread.interrupted(); // a file cannot be written by such a thread
        try {
            if (code == ExitCode.OK) {
                folder.finished(stage, seconds, json(stage, printed.toString()));
            } else {
                folder.stopped(stage, seconds);
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        return code;
    }

    private static JsonObject json(PlannedStage stage, String printed) {
        try {
            return JsonParser.parseString(printed).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%s: expected one JSON object from its command, found %d characters"
                                    + " that are none",
                            stage.name(),
                            printed.length()),
                    e);
        }
    }
}
