package io.peft4j.cli.compare;

import com.google.gson.JsonObject;
import java.util.OptionalDouble;

/**
 * What a finished run has shown.
 *
 * @param trainable the number of trained parameters
 * @param lossBefore the held-out loss before training
 * @param lossAfter the held-out loss of the saved result
 * @param steps optimizer steps
 * @param trainSeconds the time that they took, without evaluation
 * @param tokensPerSecond training speed, padding not counted
 * @param peakMemoryMb the largest memory held while training, in 10^6 bytes
 * @param peakMemoryEstimated whether that is less than exact
 * @param mergeDifference the largest difference between a logit of the merged and of the unmerged
 *     model; empty if there is nothing to merge
 * @param threads how many native threads computed
 * @param sideBySide how many runs the machine was shared by at most
 */
public record RunResult(
        long trainable,
        double lossBefore,
        double lossAfter,
        int steps,
        double trainSeconds,
        double tokensPerSecond,
        double peakMemoryMb,
        boolean peakMemoryEstimated,
        OptionalDouble mergeDifference,
        int threads,
        int sideBySide) {

    /** Adds the figures to a run's object, under the names of {@code results.json}. */
    void addTo(JsonObject json) {
        json.addProperty("trainable", trainable);
        json.addProperty("loss_before", lossBefore);
        json.addProperty("loss_after", lossAfter);
        json.addProperty("steps", steps);
        json.addProperty("train_seconds", trainSeconds);
        json.addProperty("tokens_per_second", tokensPerSecond);
        json.addProperty("peak_memory_mb", peakMemoryMb);
        json.addProperty("peak_memory_estimated", peakMemoryEstimated);
        json.addProperty(
                "merge_max_difference",
                mergeDifference.isPresent() ? mergeDifference.getAsDouble() : null);
        json.addProperty("threads", threads);
        json.addProperty("side_by_side", sideBySide);
    }

    static RunResult of(JsonObject json) {
        return new RunResult(
                json.get("trainable").getAsLong(),
                json.get("loss_before").getAsDouble(),
                json.get("loss_after").getAsDouble(),
                json.get("steps").getAsInt(),
                json.get("train_seconds").getAsDouble(),
                json.get("tokens_per_second").getAsDouble(),
                json.get("peak_memory_mb").getAsDouble(),
                json.get("peak_memory_estimated").getAsBoolean(),
                json.get("merge_max_difference").isJsonNull()
                        ? OptionalDouble.empty()
                        : OptionalDouble.of(json.get("merge_max_difference").getAsDouble()),
                json.get("threads").getAsInt(),
                json.get("side_by_side").getAsInt());
    }
}
