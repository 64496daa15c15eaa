package io.peft4j.tuning;

import ai.djl.util.Preconditions;
import io.peft4j.models.ModelConfig;

/**
 * What a dataset's rows must fit.
 *
 * @param vocabularySize token ids are below it
 * @param maxLength the most tokens a row may have
 * @param truncate whether a longer row loses its end, as in training, or is an error, as in
 *     evaluation
 * @param assistantOnlyLoss whether only what the assistant says in a conversation has a loss
 */
public record DatasetOptions(
        long vocabularySize, int maxLength, boolean truncate, boolean assistantOnlyLoss) {

    /** Checks the limits. */
    public DatasetOptions {
        Preconditions.checkArgument(
                vocabularySize > 0 && maxLength > 0,
                "vocabulary size and maximum length must be positive, but were "
                        + vocabularySize
                        + " and "
                        + maxLength);
    }

    /**
     * Returns the options for training: what is too long is cut from the right.
     *
     * @param vocabularySize the model's
     * @param maxLength the most tokens of a row that are used; not more than the model's context
     * @return the options
     */
    public static DatasetOptions training(long vocabularySize, int maxLength) {
        return new DatasetOptions(vocabularySize, maxLength, true, false);
    }

    /**
     * Returns the options for training with rows as long as the model takes them; what is longer is
     * cut from the right.
     *
     * @param model the model's config
     * @return the options
     */
    public static DatasetOptions training(ModelConfig model) {
        return training(model.vocabularySize(), model.contextLength());
    }

    /**
     * Returns the options for evaluation: what is too long is an error, nothing is cut.
     *
     * @param vocabularySize the model's
     * @param contextLength the model's
     * @return the options
     */
    public static DatasetOptions evaluation(long vocabularySize, int contextLength) {
        return new DatasetOptions(vocabularySize, contextLength, false, false);
    }

    /**
     * Sets whether only what the assistant says has a loss (TRL's {@code assistant_only_loss}); all
     * rows must be conversations then.
     *
     * @param only whether the other turns have none
     * @return the options
     */
    public DatasetOptions withAssistantOnlyLoss(boolean only) {
        return new DatasetOptions(vocabularySize, maxLength, truncate, only);
    }
}
