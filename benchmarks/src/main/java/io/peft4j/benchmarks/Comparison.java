package io.peft4j.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Both sides on one workload, in several rounds.
 *
 * @param workload what they did
 * @param ours our measurement of each round
 * @param peer PEFT's of each round; empty if it was not run
 * @param gemmSeconds what the base products alone take in a step
 */
record Comparison(
        Workload workload, List<Measurement> ours, List<Measurement> peer, double gemmSeconds) {

    private static final int COMPARED_LOSSES = 3;

    Comparison(Workload workload) {
        this(workload, new ArrayList<>(), new ArrayList<>(), Double.NaN);
    }

    Comparison withLimit(double seconds) {
        return new Comparison(workload, ours, peer, seconds);
    }

    /** Refuses to compare times of what is not the same work. */
    void requireEqualLosses() {
        double tolerance = workload.dtype().equals("float32") ? 1e-4 : 1e-2;
        for (int round = 0; round < peer.size(); round++) {
            List<Double> mine = ours.get(round).losses();
            List<Double> theirs = peer.get(round).losses();
            for (int step = 0; step < Math.min(COMPARED_LOSSES, theirs.size()); step++) {
                double a = mine.get(step);
                double b = theirs.get(step);
                if (!(Math.abs(a - b) <= tolerance * Math.abs(b))) {
                    throw new IllegalStateException(
                            workload
                                    + ": the losses of step "
                                    + (step + 1)
                                    + " differ, ours "
                                    + a
                                    + ", PEFT's "
                                    + b);
                }
            }
        }
    }

    /** The median over the rounds of ours by PEFT's, each within its round. */
    double ratio(ToDoubleFunction<Measurement> figure) {
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < peer.size(); round++) {
            ratios.add(
                    figure.applyAsDouble(ours.get(round)) / figure.applyAsDouble(peer.get(round)));
        }
        return Measurement.median(ratios);
    }

    static double median(List<Measurement> rounds, ToDoubleFunction<Measurement> figure) {
        return Measurement.median(rounds.stream().map(figure::applyAsDouble).toList());
    }
}
