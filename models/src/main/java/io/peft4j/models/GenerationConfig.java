package io.peft4j.models;

import java.util.List;

/**
 * How the next tokens are chosen: the likeliest, unless the temperature is above zero.
 *
 * @param maxNewTokens the most tokens to generate
 * @param temperature what logits are divided by before sampling; 0 takes the likeliest token
 * @param topK how many of the likeliest tokens may be sampled, and those as likely as the last of
 *     them; 0 for all
 * @param topP the probability that the likeliest tokens to sample from must reach together; 1 for
 *     all
 * @param minP the least probability of a token to sample, as a part of the likeliest token's; 0 for
 *     all
 * @param repetitionPenalty what logits of tokens that are in the text already are divided by, or
 *     multiplied with if they are negative; 1 for none
 * @param seed decides the samples; row i of a batch has seed + i
 * @param eosIds the tokens that end a text
 * @param stopStrings the texts that end a text; they are not part of it
 */
public record GenerationConfig(
        int maxNewTokens,
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        long seed,
        List<Long> eosIds,
        List<String> stopStrings) {

    /**
     * Checks the settings.
     *
     * @param maxNewTokens at least 1
     * @param temperature at least 0
     * @param topK at least 0
     * @param topP above 0, at most 1
     * @param minP at least 0, at most 1
     * @param repetitionPenalty above 0
     * @param seed any
     * @param eosIds token ids
     * @param stopStrings none of them empty
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
        require(minP >= 0 && minP <= 1, "min-p", "from 0 to 1", minP);
        require(
                repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
                "a repetition penalty",
                "above 0",
                repetitionPenalty);
        eosIds = List.copyOf(eosIds);
        stopStrings = List.copyOf(stopStrings);
        if (stopStrings.contains("")) {
            throw new IllegalArgumentException("expected stop strings with a character at least");
        }
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

    /**
     * Creates a builder that begins with these settings.
     *
     * @return the builder
     */
    public Builder toBuilder() {
        return new Builder()
                .optMaxNewTokens(maxNewTokens)
                .optTemperature(temperature)
                .optTopK(topK)
                .optTopP(topP)
                .optMinP(minP)
                .optRepetitionPenalty(repetitionPenalty)
                .optSeed(seed)
                .optEosIds(eosIds)
                .optStopStrings(stopStrings);
    }

    /** Builds a {@link GenerationConfig}. */
    public static final class Builder {

        private int maxNewTokens = 128;
        private double temperature;
        private int topK;
        private double topP = 1;
        private double minP;
        private double repetitionPenalty = 1;
        private long seed = 42;
        private List<Long> eosIds = List.of();
        private List<String> stopStrings = List.of();

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
         * Samples among the tokens that are not much less likely than the likeliest (Nguyen et al.,
         * arXiv:2407.01082).
         *
         * @param part from 0, which is for all, to 1
         * @return this builder
         */
        public Builder optMinP(double part) {
            minP = part;
            return this;
        }

        /**
         * Makes tokens that the prompt or the answer has already less likely (Keskar et al.,
         * arXiv:1909.05858), also without sampling.
         *
         * @param divisor above 0; 1 for no penalty
         * @return this builder
         */
        public Builder optRepetitionPenalty(double divisor) {
            repetitionPenalty = divisor;
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
         * Sets the texts that end a text; none unless set.
         *
         * @param texts what no answer goes beyond
         * @return this builder
         */
        public Builder optStopStrings(List<String> texts) {
            stopStrings = texts;
            return this;
        }

        /**
         * Builds the settings.
         *
         * @return the settings
         * @throws IllegalArgumentException if one is out of its range
         */
        public GenerationConfig build() {
            return new GenerationConfig(
                    maxNewTokens,
                    temperature,
                    topK,
                    topP,
                    minP,
                    repetitionPenalty,
                    seed,
                    eosIds,
                    stopStrings);
        }
    }
}
