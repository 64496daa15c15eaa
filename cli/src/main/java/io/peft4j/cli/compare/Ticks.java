package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Round numbers along an axis.
 *
 * @param values the numbers, inside the axis
 * @param decimals how many digits behind the point tell them apart
 */
record Ticks(List<Double> values, int decimals) {

    /**
     * Chooses numbers that are multiples of 1, 2 or 5 times a power of ten.
     *
     * @param low where the axis begins
     * @param high where it ends, above its beginning
     * @param most how many there may be
     */
    static Ticks of(double low, double high, int most) {
        double step = step((high - low) / most);
        List<Double> values = new ArrayList<>();
        for (long i = (long) Math.ceil(low / step); i * step <= high; i++) {
            values.add(i * step);
        }
        return new Ticks(values, (int) Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    }

    private static double step(double least) {
        double power = Math.pow(10, Math.floor(Math.log10(least)));
        for (double factor : new double[] {1, 2, 5}) {
            if (factor * power >= least) {
                return factor * power;
            }
        }
        return 10 * power;
    }

    String text(double value) {
        return String.format(Locale.ROOT, "%." + decimals + "f", value + 0.0);
    }
}
