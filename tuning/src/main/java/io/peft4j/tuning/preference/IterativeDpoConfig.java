package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.preference.PreferenceOptions.Truncation;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@link IterativeDpo} samples, and how often it does so. */
public final class IterativeDpoConfig {

    private final int iterations;
    private final int numGenerations;
    private final GenerationConfig generation;
    private final int generationBatchSize;
    private final boolean keepFirstReference;
    private final int maxLength;
    private final Truncation truncation;

    private IterativeDpoConfig(Builder builder) {
        iterations = builder.iterations;
        numGenerations = builder.numGenerations;
        generation = builder.generation;
        generationBatchSize = builder.generationBatchSize;
        keepFirstReference = builder.keepFirstReference;
        maxLength = builder.maxLength;
        truncation = builder.truncation;
    }

    /**
     * Returns how often it samples and trains.
     *
     * @return the iterations
     */
    public int iterations() {
        return iterations;
    }

    /**
     * Returns how many answers a prompt gets in each iteration.
     *
     * @return their number
     */
    public int numGenerations() {
        return numGenerations;
    }

    /**
     * Returns how answers are sampled.
     *
     * @return the sampling
     */
    public GenerationConfig generation() {
        return generation;
    }

    /**
     * Returns how many answers are sampled together.
     *
     * @return the batch size
     */
    public int generationBatchSize() {
        return generationBatchSize;
    }

    /**
     * Tells whether the reference stays what the policy was before the first iteration.
     *
     * @return whether it does; else it is what the policy was before the iteration at hand
     */
    public boolean keepFirstReference() {
        return keepFirstReference;
    }

    /** Returns what pairs must fit. */
    PreferenceOptions options(long vocabularySize, int contextLength) {
        return new PreferenceOptions(
                vocabularySize, Math.min(maxLength, contextLength), truncation);
    }

    /** Returns what a resumed run must share, beside what decides the answers. */
    Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("keep_first_reference", String.valueOf(keepFirstReference));
        settings.put("max_length", String.valueOf(maxLength));
        settings.put("truncation_mode", String.valueOf(truncation));
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

    /** Builds an {@link IterativeDpoConfig}. */
    public static final class Builder {

        private int iterations = 3;
        private int numGenerations = 8;
        private GenerationConfig generation =
                GenerationConfig.builder().optMaxNewTokens(512).optTemperature(1).build();
        private int generationBatchSize = 8;
        private boolean keepFirstReference;
        private int maxLength = 1024;
        private Truncation truncation = Truncation.KEEP_START;

        private Builder() {}

        /**
         * Sets how often it samples and trains.
         *
         * @param count 3 unless set
         * @return this builder
         */
        public Builder optIterations(int count) {
            iterations = count;
            return this;
        }

        /**
         * Sets how many answers a prompt gets in each iteration, of which the best and the worst
         * become a pair.
         *
         * @param count 8 unless set; two at least
         * @return this builder
         */
        public Builder optNumGenerations(int count) {
            numGenerations = count;
            return this;
        }

        /**
         * Sets how answers are sampled. Its seed is not used: the training's is.
         *
         * @param sampling 512 tokens at temperature 1 unless set
         * @return this builder
         */
        public Builder optGeneration(GenerationConfig sampling) {
            generation = sampling;
            return this;
        }

        /**
         * Sets how many answers are sampled together.
         *
         * @param answers 8 unless set
         * @return this builder
         */
        public Builder optGenerationBatchSize(int answers) {
            generationBatchSize = answers;
            return this;
        }

        /**
         * Sets whether the reference stays what the policy was before the first iteration.
         *
         * @param kept false unless set: it is what the policy was before the iteration at hand
         * @return this builder
         */
        public Builder optKeepFirstReference(boolean kept) {
            keepFirstReference = kept;
            return this;
        }

        /**
         * Sets the most tokens of a prompt with its answer that are learned from.
         *
         * @param tokens 1024 unless set; the model's context if that is less
         * @return this builder
         */
        public Builder optMaxLength(int tokens) {
            maxLength = tokens;
            return this;
        }

        /**
         * Sets which end of what is longer is kept.
         *
         * @param end the start unless set
         * @return this builder
         */
        public Builder optTruncation(Truncation end) {
            truncation = end;
            return this;
        }

        /**
         * Builds the config.
         *
         * @return the config
         * @throws IllegalArgumentException if a setting is out of its range
         */
        public IterativeDpoConfig build() {
            Preconditions.checkArgument(
                    iterations >= 1, "expected one iteration at least, found " + iterations);
            Preconditions.checkArgument(
                    numGenerations >= 2,
                    "expected two answers to a prompt at least, to compare them, found "
                            + numGenerations);
            Preconditions.checkArgument(
                    generation.samples(),
                    "expected a temperature above 0, or all answers to a prompt would be the same");
            Preconditions.checkArgument(
                    generationBatchSize >= 1,
                    "expected a batch of one answer at least, found " + generationBatchSize);
            Preconditions.checkArgument(
                    maxLength >= 1, "expected one token at least, found " + maxLength);
            return new IterativeDpoConfig(this);
        }
    }
}
