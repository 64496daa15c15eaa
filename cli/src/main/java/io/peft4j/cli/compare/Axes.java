package io.peft4j.cli.compare;

import java.util.Collection;
import java.util.function.Function;

/**
 * Which of a grid's axes have more than one value, beside method and rank, which every label tells.
 *
 * @param learningRate whether learning rates differ
 * @param targets whether target modules differ
 * @param seed whether seeds differ
 */
public record Axes(boolean learningRate, boolean targets, boolean seed) {

    /**
     * Looks at the runs of a grid.
     *
     * @param runs the runs
     * @return what varies among them
     */
    public static Axes of(Collection<RunSpec> runs) {
        return new Axes(
                varies(runs, run -> run.variant().learningRate()),
                varies(runs, run -> run.variant().targets()),
                varies(runs, RunSpec::seed));
    }

    private static boolean varies(Collection<RunSpec> runs, Function<RunSpec, Object> value) {
        return runs.stream().map(value).distinct().count() > 1;
    }

    /**
     * Names a run in a few words.
     *
     * @param run one of the runs
     * @return such as {@code lora r8 seed 1}
     */
    public String label(RunSpec run) {
        return run.variant().label(this) + (seed ? " seed " + run.seed() : "");
    }
}
