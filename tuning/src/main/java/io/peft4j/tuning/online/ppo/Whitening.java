package io.peft4j.tuning.online.ppo;

import java.util.Arrays;
import java.util.List;

/**
 * Brings numbers to variance 1 over the tokens of a whole batch, as TRL's {@code masked_whiten}: (x
 * − mean) / √(variance + 1e-8), the variance with Bessel's correction. A single number has the
 * variance 0 here, where TRL has none and gives an error.
 */
final class Whitening {

    private static final double EPSILON = 1e-8;

    private Whitening() {}

    /**
     * Whitens.
     *
     * @param rows the numbers of each answer's tokens; they are changed in place
     * @param shiftMean whether the mean becomes 0; else it stays
     */
    static void apply(List<double[]> rows, boolean shiftMean) {
        long count = rows.stream().mapToLong(row -> row.length).sum();
        if (count == 0) {
            return;
        }
        double mean = rows.stream().flatMapToDouble(Arrays::stream).sum() / count;
        double squares =
                rows.stream()
                        .flatMapToDouble(Arrays::stream)
                        .map(x -> (x - mean) * (x - mean))
                        .sum();
        double scale = 1 / Math.sqrt(squares / Math.max(1, count - 1) + EPSILON);
        for (double[] row : rows) {
            Arrays.setAll(row, i -> (row[i] - mean) * scale + (shiftMean ? 0 : mean));
        }
    }
}
