package io.peft4j.cli.compare;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A run of a comparison, finished or failed.
 *
 * @param spec what was trained
 * @param directory where it was saved
 * @param result its figures; empty if it failed
 * @param failure why it failed, in one line; empty if it did not
 * @param metrics its losses by step
 */
public record ComparedRun(
        RunSpec spec,
        Path directory,
        Optional<RunResult> result,
        String failure,
        RunMetrics metrics) {

    /**
     * Describes a run that is finished.
     *
     * @param spec what was trained
     * @param directory where it was saved
     * @param result its figures
     * @param metrics its losses by step
     * @return the run
     */
    public static ComparedRun finished(
            RunSpec spec, Path directory, RunResult result, RunMetrics metrics) {
        return new ComparedRun(
                spec,
                directory,
                Optional.of(result),
                "",
                metrics.startingFrom(result.lossBefore()));
    }

    /**
     * Describes a run that failed.
     *
     * @param spec what was to be trained
     * @param directory where
     * @param failure why it failed, in one line
     * @return the run
     */
    public static ComparedRun failed(RunSpec spec, Path directory, String failure) {
        return new ComparedRun(spec, directory, Optional.empty(), failure, RunMetrics.NONE);
    }
}
