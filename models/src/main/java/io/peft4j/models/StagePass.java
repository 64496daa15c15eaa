package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.List;

/** A {@link Stage} in one pass. */
interface StagePass extends AutoCloseable {

    /** Returns how many linear layers adapters change. */
    int changedLayers();

    /** Returns the tensors that require a gradient. */
    List<NDArray> trained();

    /**
     * Returns those of them that backward reaches whatever the tokens are, which hold a gradient
     * when it begins; the others get theirs when they are reached.
     */
    default List<NDArray> alwaysReached() {
        return trained();
    }

    /**
     * Computes the stage.
     *
     * @param pass what all stages share
     * @param h the hidden states (B, S, H); they stay the caller's
     * @param save whether backward will follow
     * @return the result; close it
     */
    Forward forward(LayerPass pass, TorchValue h, boolean save);

    @Override
    void close();

    /** A stage that was computed. */
    interface Forward extends AutoCloseable {

        /** Takes the result (B, S, H), which is the caller's from now on. */
        TorchValue takeOutput();

        /**
         * Adds the gradients of the adapters, and turns dh, the gradient by the result, into that
         * by the input, in place.
         *
         * @param h the input of forward
         * @param dh the gradient (B, S, H)
         * @param needInput whether the gradient by the input is needed; dh is undefined else
         */
        void backward(TorchValue h, TorchValue dh, boolean needInput);

        /**
         * Returns what is kept for backward, the result among it, by which the memory that is
         * foretold is checked.
         *
         * @param owner owns the arrays
         */
        NDList kept(NDManager owner);

        @Override
        void close();
    }
}
