package io.peft4j.models;

/**
 * A loss that is a function of what the score head says of a batch's tokens, such as that of a
 * reward model or of a value function. All that backward needs of it are its slopes, so it may be
 * written in plain Java.
 */
@FunctionalInterface
public interface HeadObjective {

    /**
     * Differentiates the loss.
     *
     * @param scores what the head says of the wanted tokens; of none, if none is wanted
     * @return for each token the derivative of the loss by its score
     */
    float[] slopes(HeadScores scores);
}
