package io.peft4j.examples;

import java.util.Collection;
import java.util.Locale;

/**
 * A figure measured several times, such as with several seeds.
 *
 * @param mean the mean
 * @param deviation the standard deviation of one measurement, with n − 1; 0 for a single one
 * @param count how many measurements
 */
public record Spread(double mean, double deviation, int count) {

    /**
     * Summarises measurements.
     *
     * @param values one or more
     * @return mean and deviation
     * @throws IllegalArgumentException if there are none
     */
    public static Spread of(Collection<Double> values) {
        int count = values.size();
        if (count == 0) {
            throw new IllegalArgumentException("expected one measurement or more, found none");
        }
        double mean = values.stream().mapToDouble(Double::doubleValue).sum() / count;
        double squares = 0;
        for (double value : values) {
            squares += (value - mean) * (value - mean);
        }
        return new Spread(mean, count == 1 ? 0 : Math.sqrt(squares / (count - 1)), count);
    }

    /**
     * Formats mean and deviation.
     *
     * @param decimals the digits after the point
     * @return such as {@code 1.663 ± 0.004}
     */
    public String text(int decimals) {
        String number = "%." + decimals + "f";
        return String.format(Locale.ROOT, number + " ± " + number, mean, deviation);
    }
}
