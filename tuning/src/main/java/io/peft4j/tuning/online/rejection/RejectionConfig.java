package io.peft4j.tuning.online.rejection;

import ai.djl.util.Preconditions;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/** The settings of {@link RejectionSampler}. */
public final class RejectionConfig {

    private final int numGenerations;
    private final OptionalDouble threshold;
    private final Keep keep;
    private final boolean keepUnfinished;
    private final long seed;

    private RejectionConfig(Builder builder) {
        numGenerations = builder.numGenerations;
        threshold = builder.threshold;
        keep = builder.keep;
        keepUnfinished = builder.keepUnfinished;
        seed = builder.seed;
    }

    /** Which answers to a prompt are kept. */
    public enum Keep {
        /** The best one; of equals the first. */
        BEST,
        /** All that reach the threshold. */
        ALL
    }

    /**
     * Returns how many answers a prompt gets.
     *
     * @return their number
     */
    public int numGenerations() {
        return numGenerations;
    }

    /**
     * Returns the least reward of an answer that is kept.
     *
     * @return empty if any will do
     */
    public OptionalDouble threshold() {
        return threshold;
    }

    /**
     * Returns which answers are kept.
     *
     * @return the choice
     */
    public Keep keep() {
        return keep;
    }

    /**
     * Tells whether answers are kept that the model did not end.
     *
     * @return whether they are
     */
    public boolean keepUnfinished() {
        return keepUnfinished;
    }

    /**
     * Returns what the random numbers depend on.
     *
     * @return the seed
     */
    public long seed() {
        return seed;
    }

    /** Returns what decides which answers are kept. */
    Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("keep", keep.name().toLowerCase(Locale.ROOT));
        threshold.ifPresent(value -> settings.put("threshold", String.valueOf(value)));
        settings.put("keep_unfinished", String.valueOf(keepUnfinished));
        return settings;
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link RejectionConfig}. */
    public static final class Builder {

        private int numGenerations = 8;
        private OptionalDouble threshold = OptionalDouble.empty();
        private Keep keep = Keep.BEST;
        private boolean keepUnfinished;
        private long seed = 42;

        private Builder() {}

        /**
         * Sets how many answers to a prompt are sampled.
         *
         * @param count 8 unless set, as TRL has it for its group methods
         * @return this builder
         */
        public Builder optNumGenerations(int count) {
            numGenerations = count;
            return this;
        }

        /**
         * Sets the least reward of an answer that is kept.
         *
         * @param reward any reward unless set
         * @return this builder
         */
        public Builder optThreshold(double reward) {
            threshold = OptionalDouble.of(reward);
            return this;
        }

        /**
         * Sets which answers to a prompt are kept.
         *
         * @param choice the best one unless set
         * @return this builder
         */
        public Builder optKeep(Keep choice) {
            keep = choice;
            return this;
        }

        /**
         * Sets whether answers are kept that were cut at their greatest length. Fine-tuning on them
         * teaches to end a text where they were cut.
         *
         * @param kept false unless set
         * @return this builder
         */
        public Builder optKeepUnfinished(boolean kept) {
            keepUnfinished = kept;
            return this;
        }

        /**
         * Sets what the random numbers depend on.
         *
         * @param value 42 unless set
         * @return this builder
         */
        public Builder optSeed(long value) {
            seed = value;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range, or two contradict
         */
        public RejectionConfig build() {
            Preconditions.checkArgument(
                    numGenerations > 0,
                    "expected one answer to each prompt at least, found " + numGenerations);
            Preconditions.checkArgument(
                    threshold.isEmpty() || Double.isFinite(threshold.getAsDouble()),
                    "expected a finite threshold");
            Preconditions.checkArgument(
                    keep != Keep.ALL || threshold.isPresent(),
                    "expected a threshold where all answers are kept that reach it");
            return new RejectionConfig(this);
        }
    }
}
