package io.peft4j.tuning;

/** Makes one seed of several numbers, so that neighbours get unlike random numbers. */
public final class Seeds {

    private Seeds() {}

    /**
     * Mixes numbers.
     *
     * @param parts such as a run's seed, a step and a row
     * @return the seed
     */
    public static long mix(long... parts) {
        long seed = 0;
        for (long part : parts) {
            // the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
            long z = seed * 0x9E3779B97F4A7C15L + part + 0x9E3779B97F4A7C15L;
            z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
            z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
            seed = z ^ (z >>> 31);
        }
        return seed;
    }
}
