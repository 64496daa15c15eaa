package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.models.CausalLm;
import io.peft4j.models.HeadObjective;
import io.peft4j.models.HeadScores;
import io.peft4j.models.MatrixProduct;
import io.peft4j.models.StepMemory;
import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import java.util.Optional;

/** What training and evaluation need of a causal language model. */
public interface LanguageModel {

    /**
     * Makes one of this project's decoders trainable.
     *
     * @param model the model; stays the caller's to close
     * @return the model, as trainers see it
     */
    static LanguageModel of(CausalLm model) {
        return new CausalLanguageModel(model);
    }

    /**
     * Returns the manager whose device the batches are made on.
     *
     * @return the model's manager
     */
    NDManager manager();

    /**
     * Tells whether {@link #useGradientCheckpointing} has an effect, with what is trained now.
     *
     * @return false unless a model says otherwise
     */
    default boolean canCheckpointGradients() {
        return false;
    }

    /**
     * Chooses whether layers keep their inputs alone for backward and are computed again there.
     *
     * @param on whether they do
     * @throws UnsupportedOperationException if the model cannot and should
     */
    default void useGradientCheckpointing(boolean on) {
        if (on) {
            throw new UnsupportedOperationException(
                    getClass().getName() + " has no gradient checkpointing");
        }
    }

    /**
     * Tells what {@link #useGradientCheckpointing} has chosen.
     *
     * @return whether layers are computed again
     */
    default boolean checkpointsGradients() {
        return false;
    }

    /**
     * Foretells the memory of {@link #backward}.
     *
     * @param rows the rows of a batch
     * @param length the tokens of its longest row
     * @return the bytes of activations; empty if they cannot be told
     */
    default Optional<StepMemory> stepMemory(int rows, int length) {
        return Optional.empty();
    }

    /**
     * Frees the memory that steps leave to the next; another step takes it anew. Trainers call it
     * at their end.
     */
    default void freeStepMemory() {}

    /**
     * Tells what computes products with base weights, which decides how they are rounded.
     *
     * @return the product; empty if there is no choice
     */
    default Optional<MatrixProduct> matrixProduct() {
        return Optional.empty();
    }

    /**
     * Chooses what computes products with base weights.
     *
     * @param product the product
     * @throws IllegalArgumentException if it cannot be had here
     */
    default void useMatrixProduct(MatrixProduct product) {
        throw new IllegalArgumentException(getClass().getName() + " has no choice of products");
    }

    /**
     * Computes the losses of a batch without gradients or dropout.
     *
     * @param ids int64 (batch, length), padded on the right
     * @param labels int64 (batch, length), aligned with {@code ids}, {@link Example#IGNORED} where
     *     there is no loss
     * @return per row, the sum of −log p of its labelled next tokens
     */
    double[] rowLosses(NDArray ids, NDArray labels);

    /**
     * Runs forward and backward in training mode; gradients accumulate in the parameters.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @param divisor what the sum of the losses is divided by before backward
     * @return per row, the sum of −log p, not divided
     */
    double[] backward(NDArray ids, NDArray labels, double divisor);

    /**
     * Runs forward and backward as {@link #backward(NDArray, NDArray, double)}, and is told which
     * tokens are padding, for models in which padding has an effect, as on the balance of experts.
     *
     * @param ids as in {@link #rowLosses}
     * @param mask int64 (batch, length), 1 for tokens and 0 for padding
     * @param labels as in {@link #rowLosses}
     * @param divisor what the sum of the losses is divided by before backward
     * @return per row, the sum of −log p, not divided
     */
    default double[] backward(NDArray ids, NDArray mask, NDArray labels, double divisor) {
        return backward(ids, labels, divisor);
    }

    /**
     * Tells what the model says of the labelled tokens of a batch, without gradients or dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @return log-probabilities and more, token by token
     * @throws UnsupportedOperationException if the model cannot
     */
    default TokenScores tokenScores(NDArray ids, NDArray labels) {
        return tokenScores(ids, labels, 1);
    }

    /**
     * Tells what the model says of the labelled tokens of a batch at a temperature, without
     * gradients or dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param labels as in {@link #rowLosses}
     * @param temperature what logits are divided by, above 0
     * @return log-probabilities and more, token by token
     * @throws UnsupportedOperationException if the model cannot
     */
    default TokenScores tokenScores(NDArray ids, NDArray labels, double temperature) {
        throw new UnsupportedOperationException(
                getClass().getName() + " tells no log-probabilities of tokens");
    }

    /**
     * Tells what the model says of tokens that need not stand in the batch, without gradients or
     * dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param places (N) where a token's context ends, row · length + column; any of them several
     *     times
     * @param tokens (N) the tokens
     * @return log-probabilities and more, token by token
     * @throws UnsupportedOperationException if the model cannot
     */
    default TokenScores nextTokenScores(NDArray ids, long[] places, long[] tokens) {
        throw new UnsupportedOperationException(
                getClass().getName() + " tells no log-probabilities of tokens");
    }

    /**
     * Runs forward and backward of a loss of the tokens' log-probabilities, in training mode;
     * gradients accumulate in the parameters.
     *
     * @param ids as in {@link #rowLosses}
     * @param mask as in {@link #backward(NDArray, NDArray, NDArray, double)}
     * @param labels as in {@link #rowLosses}
     * @param objective the loss, which is asked for its slopes once
     * @param share the share of the step that the batch has, for losses of the model itself, as on
     *     the balance of experts
     * @return what the objective was told
     * @throws UnsupportedOperationException if the model cannot
     */
    default TokenScores backward(
            NDArray ids, NDArray mask, NDArray labels, TokenObjective objective, double share) {
        throw new UnsupportedOperationException(
                getClass().getName() + " has no losses of tokens' log-probabilities");
    }

    /**
     * Tells what the model's score head says of some tokens of a batch, without gradients or
     * dropout.
     *
     * @param ids as in {@link #rowLosses}
     * @param wanted int64 (batch, length), 1 for the tokens to score and 0 for others
     * @return a score for each of them
     * @throws UnsupportedOperationException if the model cannot have such a head
     * @throws IllegalStateException if it has none
     */
    default HeadScores headScores(NDArray ids, NDArray wanted) {
        throw new UnsupportedOperationException(getClass().getName() + " has no score head");
    }

    /**
     * Runs forward and backward of a loss of the score head's outputs, in training mode; gradients
     * accumulate in the parameters.
     *
     * @param ids as in {@link #rowLosses}
     * @param mask as in {@link #backward(NDArray, NDArray, NDArray, double)}
     * @param wanted as in {@link #headScores}
     * @param objective the loss, which is asked for its slopes once
     * @param share as in {@link #backward(NDArray, NDArray, NDArray, TokenObjective, double)}
     * @return what the objective was told
     * @throws UnsupportedOperationException if the model cannot have such a head
     * @throws IllegalStateException if it has none
     */
    default HeadScores backwardFromHead(
            NDArray ids, NDArray mask, NDArray wanted, HeadObjective objective, double share) {
        throw new UnsupportedOperationException(getClass().getName() + " has no score head");
    }
}
