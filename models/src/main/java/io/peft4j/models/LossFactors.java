package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import java.util.function.Supplier;

/** What the loss of each labelled token is multiplied by in what backward differentiates. */
interface LossFactors {

    /**
     * Returns the factors.
     *
     * @param owner the manager of the result
     * @param scores computes what is told of the tokens, (N, 4), see {@code token_scores.ts}
     * @return float32 (N), or (1) if all have the same
     */
    NDArray of(NDManager owner, Supplier<float[]> scores);

    /** Returns what logits are divided by, before a loss or a score is computed of them. */
    default double temperature() {
        return 1;
    }

    /** The same for all tokens. */
    static LossFactors all(double factor) {
        return (owner, scores) -> Tensors.of(owner, new float[] {(float) factor}, new Shape(1));
    }
}
