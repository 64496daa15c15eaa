package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The score head of transformers' {@code …ForSequenceClassification} with one label, \(s = h · wᵀ\)
 * of a hidden state h (H) after the last norm, and the gradients of losses of such scores. A reward
 * model asks it about the last token of a text, a value function about each.
 *
 * <p>Scores are float32 on every base. An adapter may have a weight w (1, H) of its own, or
 * low-rank updates of it; the kernels are for the first, or for no change at all.
 */
final class ScoreHead {

    /** The name of the head among the decoder's blocks, transformers' own. */
    static final String NAME = "score";

    private final Decoder decoder;
    private final LossPasses passes;

    ScoreHead(Decoder decoder, LossPasses passes) {
        this.decoder = decoder;
        this.passes = passes;
    }

    /** Makes the values of a new head's weight. */
    static NDArray newWeight(NDManager owner, Shape shape, double deviation, long seed) {
        NDArray weight = Tensors.empty(owner, shape, ScalarType.FLOAT32);
        try (RowWriter writer = new RowWriter(owner)) {
            long own = RandomWeights.seed(seed, NAME + ".weight");
            RandomWeights.fill(writer, weight, Parameter.Type.WEIGHT, deviation, own);
        }
        return weight;
    }

    private AdaptableLinear layer() {
        AdaptableLinear layer = decoder.scoreHead();
        if (layer == null) {
            throw new IllegalStateException(
                    "this model has no score head; add one with CausalLm.addScoreHead, before the"
                            + " adapters that have one of their own");
        }
        return layer;
    }

    /** Tells what the head says of tokens, with the adapters in effect. */
    HeadScores evaluate(NDManager owner, Weights weights, NDArray ids, ScoredTokens tokens) {
        AdaptableLinear layer = layer();
        if (tokens.count() == 0) {
            return tokens.scores(new float[0]);
        }
        try (GradMode off = GradMode.disabled();
                EnginePass pass = passes.begin(weights);
                NDManager step = owner.newSubManager()) {
            if (pass == null) {
                return tokens.scores(
                        byBlocks(step, weights, ids, null, tokens, null).toFloatArray());
            }
            ScoreKernels kernels = new ScoreKernels(weights.value(layer.weight()), tokens);
            try (LayerPass shared = passes.layers(step, ids, null)) {
                return tokens.scores(pass.headScores(shared, decoder.embeddings(), ids, kernels));
            }
        }
    }

    /** Computes scores (N, 1), of the step, by the blocks. */
    private NDArray byBlocks(
            NDManager step,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            ScoredTokens scored,
            @Nullable Routing routing) {
        NDArray picked = passes.picked(step, weights, ids, tokens, scored.positions(step), routing);
        return weights.linear(layer(), Tensors.float32(step, picked));
    }

    /**
     * Adds the gradient of a loss of the scores to whatever parameters require one.
     *
     * @param tokens (B, S), 1 for tokens and 0 for padding; null if there is none that matters
     * @param slopes asks for the loss's slopes
     * @param share what the routers' loss is multiplied by besides its own weight
     */
    void backward(
            NDManager owner,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            HeadSlopes slopes,
            double share) {
        layer();
        if (slopes.tokens().count() == 0) {
            return;
        }
        try (GradMode recording = GradMode.enabled();
                EnginePass pass = passes.begin(weights);
                NDManager step = owner.newSubManager()) {
            if (pass == null) {
                byAutograd(step, weights, ids, tokens, slopes, share);
            } else {
                byKernels(pass, step, weights, ids, tokens, slopes, share);
            }
        }
    }

    private void byAutograd(
            NDManager step,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            HeadSlopes slopes,
            double share) {
        Routing routing = passes.routing(step, tokens);
        NDArray scores = byBlocks(step, weights, ids, tokens, slopes.tokens(), routing);
        NDArray upstream = Tensors.of(step, slopes.apply(scores.toFloatArray()), scores.getShape());
        if (!Kernels.isTracked(scores)) {
            return; // what is trained has no part in them
        }
        if (routing == null) {
            Gradients.backward(scores, upstream);
        } else {
            routing.backward(scores, upstream, share);
        }
    }

    private void byKernels(
            EnginePass pass,
            NDManager step,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            HeadSlopes slopes,
            double share) {
        NDArray weight = weights.value(layer().weight());
        float[] gradient;
        try (LayerPass shared = passes.balanced(step, ids, tokens, share)) {
            gradient =
                    pass.backwardFromHead(
                            shared,
                            decoder.embeddings(),
                            ids,
                            new ScoreKernels(weight, slopes.tokens()),
                            slopes,
                            passes.checkpointing());
        }
        if (Kernels.isTracked(weight)) { // it may be a view of an adapter's own
            Gradients.backward(weight, Tensors.of(step, gradient, weight.getShape()));
        }
    }
}
