package io.peft4j.models;

import java.util.List;

/**
 * How the next tokens are chosen: the likeliest, unless the temperature is above zero.
 *
 * @param maxNewTokens the most tokens to generate
 * @param temperature what logits are divided by before sampling; 0 takes the likeliest token
 * @param topK how many of the likeliest tokens may be sampled; 0 for all
 * @param topP the probability that the likeliest tokens to sample from must reach together; 1 for
 *     all
 * @param seed decides the samples
 * @param eosIds the tokens that end a text
 */
public record GenerationConfig(
        int maxNewTokens, double temperature, int topK, double topP, long seed, List<Long> eosIds) {

    /**
     * Checks the settings.
     *
     * @param maxNewTokens at least 1
     * @param temperature at least 0
     * @param topK at least 0
     * @param topP above 0, at most 1
     * @param seed any
     * @param eosIds token ids
     */
    public GenerationConfig {
        require(maxNewTokens >= 1, "max new tokens", "at least 1", maxNewTokens);
        require(
                temperature >= 0 && Double.isFinite(temperature),
                "a temperature",
                "at least 0",
                temperature);
        require(topK >= 0, "top-k", "at least 0", topK);
        require(topP > 0 && topP <= 1, "top-p", "above 0 and at most 1", topP);
        eosIds = List.copyOf(eosIds);
    }

    private static void require(boolean holds, String what, String expected, Number found) {
        if (!holds) {
            throw new IllegalArgumentException(
                    "expected " + what + " " + expected + ", found " + found);
        }
    }

    /**
     * Tells whether tokens are drawn at random.
     *
     * @return whether the temperature is above zero
     */
    public boolean samples() {
        return temperature > 0;
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a {@link GenerationConfig}. */
    public static final class Builder {

        private int maxNewTokens = 128;
        private double temperature;
        private int topK;
        private double topP = 1;
        private long seed = 42;
        private List<Long> eosIds = List.of();

        private Builder() {}

        /**
         * Sets the most tokens to generate; 128 unless set.
         *
         * @param count at least 1
         * @return this builder
         */
        public Builder optMaxNewTokens(int count) {
            maxNewTokens = count;
            return this;
        }

        /**
         * Samples, with logits divided by this number.
         *
         * @param divisor at least 0, which is greedy
         * @return this builder
         */
        public Builder optTemperature(double divisor) {
            temperature = divisor;
            return this;
        }

        /**
         * Samples among the likeliest tokens only.
         *
         * @param count how many; 0 for all
         * @return this builder
         */
        public Builder optTopK(int count) {
            topK = count;
            return this;
        }

        /**
         * Samples among the fewest tokens that together reach a probability (Holtzman et al.,
         * arXiv:1904.09751).
         *
         * @param probability above 0, at most 1
         * @return this builder
         */
        public Builder optTopP(double probability) {
            topP = probability;
            return this;
        }

        /**
         * Sets what decides the samples; 42 unless set.
         *
         * @param value the seed
         * @return this builder
         */
        public Builder optSeed(long value) {
            seed = value;
            return this;
        }

        /**
         * Sets the tokens that end a text; none unless set.
         *
         * @param ids token ids, such as {@link ModelConfig#eosIds}
         * @return this builder
         */
        public Builder optEosIds(List<Long> ids) {
            eosIds = ids;
            return this;
        }

        /**
         * Builds the settings.
         *
         * @return the settings
         * @throws IllegalArgumentException if one is out of its range
         */
        public GenerationConfig build() {
            return new GenerationConfig(maxNewTokens, temperature, topK, topP, seed, eosIds);
        }
    }
}
