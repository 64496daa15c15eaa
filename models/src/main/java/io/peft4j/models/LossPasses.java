package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import org.jspecify.annotations.Nullable;

/**
 * The passes through the layers that losses ask for, by kernels with hand-written backward or by
 * autograd, and what has been chosen for them.
 */
final class LossPasses {

    private final Decoder decoder;
    private volatile boolean byKernels;
    private volatile boolean checkpointing;

    LossPasses(Decoder decoder) {
        this.decoder = decoder;
    }

    /** Begins a pass by kernels; null if it is for autograd. */
    @Nullable EnginePass begin(Weights weights) {
        EnginePass pass = decoder.beginLayers(weights);
        byKernels = pass != null;
        return pass;
    }

    /** Tells whether the last pass went by kernels that were written by hand. */
    boolean wasByKernels() {
        return byKernels;
    }

    /** Chooses whether layers keep their inputs alone, where kernels compute them. */
    void useCheckpointing(boolean on) {
        checkpointing = on;
    }

    boolean checkpointing() {
        return checkpointing;
    }

    /** Returns what the layers of a pass by kernels share. */
    LayerPass layers(NDManager step, NDArray ids, @Nullable NDArray tokens) {
        return decoder.layerPass(step, ids, decoder.read(step, ids, tokens, null), null);
    }

    /**
     * Returns the same for a pass with backward, in which the loss that keeps routers balanced
     * takes part if the config asks for it.
     *
     * @param tokens (B, S), 1 for tokens and 0 for padding; null if there is none that matters
     * @param share what that loss is multiplied by besides its own weight
     */
    LayerPass balanced(NDManager step, NDArray ids, @Nullable NDArray tokens, double share) {
        LayerPass pass = layers(step, ids, tokens);
        Experts experts = decoder.architecture().experts();
        if (experts != null && experts.auxiliaryWeight().isPresent()) {
            double weight = experts.auxiliaryWeight().getAsDouble();
            pass.balanceRouters(new RouterBalance(experts, weight * share));
        }
        return pass;
    }

    /** Returns a record for autograd to fill if the routers' balance takes part in the loss. */
    @Nullable Routing routing(NDManager step, @Nullable NDArray tokens) {
        Experts experts = decoder.architecture().experts();
        return experts == null || experts.auxiliaryWeight().isEmpty()
                ? null
                : new Routing(step, experts, tokens);
    }

    /**
     * Computes some of the last hidden states, after the norm, by autograd.
     *
     * @param positions which (N), flat in (B, S)
     * @param routing as of {@link Decoder#hidden}
     * @return (N, H), of the step
     */
    NDArray picked(
            NDManager step,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            NDArray positions,
            @Nullable Routing routing) {
        try (NDManager scope = step.newSubManager()) {
            NDArray hidden = decoder.hidden(scope, weights, ids, tokens, null, routing);
            return Kernels.DECODER.call(step, "pick", hidden, positions);
        }
    }
}
