package io.peft4j.cli;

import io.peft4j.tuning.PeakMemory;
import java.nio.file.Path;
import java.util.List;

/**
 * One row of a comparison.
 *
 * @param method the adapter method
 * @param rank the adapter's rank
 * @param adapter where the adapter was saved
 * @param trainable the number of trained parameters
 * @param lossBefore the held-out loss before training
 * @param lossAfter the held-out loss of the saved adapter
 * @param tokensPerSecond training speed, padding not counted
 * @param peakMemory the largest memory held while training
 * @param mergeDifference the largest difference between a logit of the merged and of the unmerged
 *     model
 * @param training training loss by optimizer step
 * @param heldOut held-out loss by optimizer step
 */
record ComparedRun(
        String method,
        int rank,
        Path adapter,
        long trainable,
        double lossBefore,
        double lossAfter,
        double tokensPerSecond,
        PeakMemory.Figure peakMemory,
        double mergeDifference,
        List<Point> training,
        List<Point> heldOut) {

    /**
     * A loss at a step.
     *
     * @param step how many optimizer steps were done
     * @param loss the mean loss of a labelled token
     */
    record Point(int step, double loss) {}

    ComparedRun {
        training = List.copyOf(training);
        heldOut = List.copyOf(heldOut);
    }

    String label() {
        return method + " r" + rank;
    }
}
