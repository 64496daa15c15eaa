package io.peft4j.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * What one process measured. The first step warms up and counts in the losses alone.
 *
 * @param losses the loss of each step
 * @param seconds the wall time of each step behind the first
 * @param cpuSeconds the processor time of each of them, all threads together
 * @param stepPeakMb the largest resident memory during the steps, in 10^6 bytes
 * @param processPeakMb the largest of the whole process, loading included
 * @param foretoldMb what {@code MemoryPlan} says of the steps' peak; 0 on PEFT's side
 * @param versions what computed it, by name
 */
record Measurement(
        List<Double> losses,
        List<Double> seconds,
        List<Double> cpuSeconds,
        double stepPeakMb,
        double processPeakMb,
        double foretoldMb,
        Map<String, String> versions) {

    double medianSeconds() {
        return median(seconds);
    }

    double minSeconds() {
        return seconds.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
    }

    static double median(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1
                ? sorted[middle]
                : Arrays.stream(sorted, middle - 1, middle + 1).average().orElseThrow();
    }
}
