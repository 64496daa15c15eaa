package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;

/**
 * What pairs must fit.
 *
 * @param vocabularySize token ids are below it
 * @param maxLength the most tokens of a prompt with its answer; what is longer is cut
 * @param truncation which end of it is kept
 */
public record PreferenceOptions(long vocabularySize, int maxLength, Truncation truncation) {

    /** Which end of what is too long is kept, TRL's {@code truncation_mode}. */
    public enum Truncation {
        /** The start. A prompt that leaves no room for an answer drops the pair. */
        KEEP_START,
        /** The end, so that a prompt loses its start. */
        KEEP_END
    }

    /** Checks the limits. */
    public PreferenceOptions {
        Preconditions.checkArgument(
                vocabularySize > 0 && maxLength > 0,
                "vocabulary size and maximum length must be positive, but were "
                        + vocabularySize
                        + " and "
                        + maxLength);
    }

    /**
     * Keeps the start of what is too long.
     *
     * @param vocabularySize the model's
     * @param maxLength the most tokens; not more than the model's context
     */
    public PreferenceOptions(long vocabularySize, int maxLength) {
        this(vocabularySize, maxLength, Truncation.KEEP_START);
    }
}
