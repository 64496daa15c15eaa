package io.peft4j.lora;

import java.util.stream.IntStream;

/**
 * The numbers that {@link java.util.SplittableRandom} draws between two bounds, several times
 * faster than it draws them: the n-th number is a function of n, so that ranges are drawn apart.
 */
final class Uniform {

    // Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014
    private static final long STEP = 0x9e3779b97f4a7c15L;
    private static final double UNIT = 0x1.0p-53;
    private static final int RANGE = 1 << 16;

    private Uniform() {}

    /** Fills an array with numbers in [-bound, bound). */
    static void fill(float[] values, double bound, long seed) {
        int ranges = (values.length + RANGE - 1) / RANGE;
        IntStream.range(0, ranges)
                .parallel()
                .forEach(
                        range -> {
                            int from = range * RANGE;
                            int to = Math.min(values.length, from + RANGE);
                            fill(values, from, to, bound, seed + STEP * from);
                        });
    }

    private static void fill(float[] values, int from, int to, double bound, long seed) {
        long state = seed;
        double width = bound - -bound;
        for (int i = from; i < to; i++) {
            state += STEP;
            double drawn = (mixed(state) >>> 11) * UNIT * width - bound;
            values[i] = (float) (drawn < bound ? drawn : Math.nextDown(bound));
        }
    }

    private static long mixed(long state) {
        long z = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
