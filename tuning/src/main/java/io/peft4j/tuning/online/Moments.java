package io.peft4j.tuning.online;

import java.util.Arrays;

/**
 * Mean and standard deviation of some numbers. Equal numbers have no deviation, to the last bit.
 *
 * @param mean 0 of no numbers
 * @param deviation with Bessel's correction, as in TRL; 0 of fewer than two numbers
 */
public record Moments(double mean, double deviation) {

    /**
     * Computes both.
     *
     * @param values the numbers, finite
     * @return their moments
     */
    public static Moments of(double... values) {
        if (values.length == 0) {
            return new Moments(0, 0);
        }
        double first = values[0];
        double mean =
                first + Arrays.stream(values).map(value -> value - first).sum() / values.length;
        double squares = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
        double deviation = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1));
        return new Moments(mean, deviation);
    }
}
