package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * What an adapter adds to a linear layer \(y = x W^T\), told as numbers instead of computed, for
 * models that compute layer and adapter together:
 *
 * <pre>
 *   without a gain:  s (x~ A^T) B^T
 *   with a gain g:   (g - 1) * x~ W^T  +  g * s (x~ A^T) B^T,   g = magnitude / norm
 * </pre>
 *
 * <p>x~ is x after dropout in training, and x else. Gradients go to A, B and the magnitude; the
 * norm is a constant.
 *
 * @param a A (rank, in), float32
 * @param b B (out, rank), float32
 * @param scaling s
 * @param dropout the probability of dropping an element of x in training
 * @param gain the gain per output; null if there is none
 */
public record LowRankUpdate(
        NDArray a, NDArray b, double scaling, double dropout, @Nullable Gain gain) {

    /**
     * A factor per output.
     *
     * @param magnitude the trained numerator (out), float32
     * @param norm the positive denominator (out), float32
     */
    public record Gain(NDArray magnitude, NDArray norm) {}
}
