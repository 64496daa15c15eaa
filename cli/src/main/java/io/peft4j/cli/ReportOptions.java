package io.peft4j.cli;

import io.peft4j.tuning.TrainingReporter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about where a training is reported to, named as in transformers. */
final class ReportOptions {

    private static final String NONE = "none";
    private static final String MLFLOW = "mlflow";
    private static final String DIRECTORY_VARIABLE = "TENSORBOARD_LOGGING_DIR";

    @Option(
            names = "--report-to",
            paramLabel = "NAME",
            split = ",",
            defaultValue = NONE,
            description =
                    "tensorboard or mlflow, or both with a comma; none (default:"
                            + " ${DEFAULT-VALUE}). metrics.jsonl is written in any case.")
    private List<String> names;

    @Option(
            names = "--logging-dir",
            paramLabel = "DIR",
            description =
                    "Where TensorBoard's event files go, a directory for each run (default:"
                            + " $TENSORBOARD_LOGGING_DIR, or runs in --output).")
    private @Nullable Path loggingDirectory;

    /** Refuses what cannot be reported to, before a model is loaded. */
    void check(Path output, boolean resume) {
        List<TrainingReporter> chosen = chosen();
        if (loggingDirectory != null && !names.contains("tensorboard")) {
            throw new UsageException("--logging-dir needs --report-to tensorboard");
        }
        for (TrainingReporter reporter : chosen) {
            try {
                reporter.check(context(output, message -> {}), resume);
            } catch (IOException e) {
                throw new UsageException(
                        "--report-to " + reporter.name() + ": " + e.getMessage(), e);
            }
        }
    }

    /** Begins the reports. */
    Reports open(Path output, Consumer<String> warnings) {
        TrainingReporter.Context context = context(output, warnings);
        return new Reports(chosen().stream().map(reporter -> reporter.open(context)).toList());
    }

    private TrainingReporter.Context context(Path output, Consumer<String> warnings) {
        Map<String, String> environment = System.getenv();
        String variable = environment.get(DIRECTORY_VARIABLE);
        Path directory = loggingDirectory;
        if (directory == null) {
            directory =
                    variable == null || variable.isBlank()
                            ? output.resolve("runs")
                            : Path.of(variable);
        }
        return new TrainingReporter.Context(output, directory, environment, warnings);
    }

    private List<TrainingReporter> chosen() {
        Checks.distinct("--report-to", names);
        if (names.contains(NONE)) {
            if (names.size() > 1) {
                throw new UsageException("--report-to none cannot be given with others");
            }
            return List.of();
        }
        List<TrainingReporter> chosen = new ArrayList<>();
        List<TrainingReporter> present = TrainingReporter.all();
        for (String name : names) {
            chosen.add(
                    present.stream()
                            .filter(reporter -> reporter.name().equals(name))
                            .findFirst()
                            .orElseThrow(() -> new UsageException(missing(name, present))));
        }
        return chosen;
    }

    private static String missing(String name, List<TrainingReporter> present) {
        if (name.equals(MLFLOW)) {
            return "--report-to mlflow needs a module that is not in this build; PEFT4J_MLFLOW=1"
                    + " ./peft4j … builds and runs with it";
        }
        List<String> names =
                new ArrayList<>(present.stream().map(TrainingReporter::name).sorted().toList());
        names.add(NONE);
        return "--report-to must be of "
                + String.join(", ", names)
                + (names.contains(MLFLOW) ? "" : " (or mlflow, in a build with it)")
                + ", but is \""
                + name
                + "\"";
    }
}
