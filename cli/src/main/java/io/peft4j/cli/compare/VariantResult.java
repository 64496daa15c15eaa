package io.peft4j.cli.compare;

import java.util.List;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;

/**
 * One row of a comparison: a variant over its seeds.
 *
 * @param variant what was trained
 * @param label the variant in a few words
 * @param runs its finished runs, one at least
 * @param failed how many of its runs failed
 */
public record VariantResult(Variant variant, String label, List<ComparedRun> runs, int failed) {

    /** Copies the runs. */
    public VariantResult {
        runs = List.copyOf(runs);
    }

    private List<RunResult> results() {
        return runs.stream().flatMap(run -> run.result().stream()).toList();
    }

    /** Summarises a figure over the seeds. */
    Spread spread(ToDoubleFunction<RunResult> figure) {
        return Spread.of(results().stream().map(figure::applyAsDouble).toList());
    }

    Spread lossAfter() {
        return spread(RunResult::lossAfter);
    }

    /** The same for every seed, but where seeds decide how an adapter starts. */
    double lossBefore() {
        return spread(RunResult::lossBefore).mean();
    }

    long trainable() {
        return results().get(0).trainable();
    }

    double peakMemoryMb() {
        return spread(RunResult::peakMemoryMb).highest();
    }

    boolean peakMemoryEstimated() {
        return results().stream().anyMatch(RunResult::peakMemoryEstimated);
    }

    /** The largest of the seeds; empty if there was nothing to merge. */
    OptionalDouble mergeDifference() {
        return results().stream()
                .map(RunResult::mergeDifference)
                .filter(OptionalDouble::isPresent)
                .mapToDouble(OptionalDouble::getAsDouble)
                .max();
    }
}
