package io.peft4j.cli.compare;

import java.util.Collection;
import java.util.DoubleSummaryStatistics;
import java.util.OptionalDouble;

/**
 * A figure over several seeds.
 *
 * @param count the seeds
 * @param mean their mean
 * @param deviation the sample's standard deviation (divided by count − 1); empty for one seed
 * @param lowest the smallest
 * @param highest the largest
 */
public record Spread(
        int count, double mean, OptionalDouble deviation, double lowest, double highest) {

    /**
     * Summarises some values.
     *
     * @param values one at least
     * @return their spread
     */
    public static Spread of(Collection<Double> values) {
        DoubleSummaryStatistics all =
                values.stream().mapToDouble(Double::doubleValue).summaryStatistics();
        if (all.getCount() == 0) {
            throw new IllegalArgumentException("expected one value at least, found none");
        }
        double mean = all.getAverage();
        double squares = values.stream().mapToDouble(v -> (v - mean) * (v - mean)).sum();
        return new Spread(
                (int) all.getCount(),
                mean,
                all.getCount() < 2
                        ? OptionalDouble.empty()
                        : OptionalDouble.of(Math.sqrt(squares / (all.getCount() - 1))),
                all.getMin(),
                all.getMax());
    }

    /** Tells whether every value of this is below every value of another. */
    boolean isBelow(Spread other) {
        return highest < other.lowest;
    }
}
