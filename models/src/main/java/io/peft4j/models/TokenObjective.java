package io.peft4j.models;

/**
 * A loss that is a function of the log-probabilities of a batch's labelled tokens, such as those of
 * preference optimisation and of policy gradients. All that backward needs of it are its slopes, so
 * it may be written in plain Java.
 */
@FunctionalInterface
public interface TokenObjective {

    /**
     * Differentiates the loss.
     *
     * @param scores what the model says of the tokens; of no tokens, if no token has a label
     * @return for each token the derivative of the loss by its log-probability
     */
    float[] slopes(TokenScores scores);

    /**
     * Returns the temperature at which log-probabilities are told, such as the one at which a
     * model's own answers were sampled. The slopes are by those.
     *
     * @return what logits are divided by, above 0; 1 unless an objective says otherwise
     */
    default double temperature() {
        return 1;
    }
}
