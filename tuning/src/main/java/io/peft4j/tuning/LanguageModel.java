package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.models.CausalLm;

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
}
