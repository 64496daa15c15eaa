package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import java.nio.FloatBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Next-token cross entropy, and its gradient, without all logits at once.
 *
 * <p>Only hidden states whose next token has a label are projected to logits, a chunk of rows at a
 * time. In training the gradient of a chunk's loss by its logits is written down by hand, softmax
 * minus one at the target, and sent back through the head, which leaves the gradient by the chunk's
 * hidden states; when all chunks are done, their gradients go back through the layers in one pass.
 * A weight that is both head and embeddings gets its gradient from both sides, and so does an
 * adapter that changes both.
 *
 * <p>With a mixture of experts whose config asks for it, the loss that keeps the routers balanced
 * takes part in that pass, weighted by the share of the labels that the batch has of all.
 *
 * <p>The losses' factors may be told from the log-probabilities themselves ({@link
 * TokenObjective}): then the head computes once more, between forward and backward.
 */
final class NextTokenLoss {

    // logits of a chunk: 8 MB for a large vocabulary as for a small one, but enough rows for a
    // matrix product to be worth its reading of the head
    private static final int CHUNK_ELEMENTS = 1 << 21;
    private static final int LEAST_ROWS = 128;

    private final Decoder decoder;
    private final LossPasses passes;

    NextTokenLoss(Decoder decoder, LossPasses passes) {
        this.decoder = decoder;
        this.passes = passes;
    }

    /** Returns each row's sum of losses. */
    double[] evaluate(NDManager owner, Weights weights, NDArray ids, Labels labels) {
        double[] sums = new double[labels.rows()];
        if (labels.count() == 0) {
            return sums;
        }
        try (EnginePass pass = passes.begin(weights)) {
            if (pass != null) {
                return evaluate(pass, owner, ids, labels);
            }
        }
        try (GradMode off = GradMode.disabled();
                NDManager step = owner.newSubManager()) {
            NDArray picked = picked(step, weights, ids, null, labels, null);
            for (int from = 0; from < labels.count(); from += chunkRows()) {
                int to = Math.min(labels.count(), from + chunkRows());
                try (NDManager scope = step.newSubManager()) {
                    NDArray logits =
                            decoder.project(scope, weights, Kernels.rows(scope, picked, from, to));
                    NDArray targets = labels.targets(scope, from, to);
                    NDArray losses = Kernels.DECODER.call(scope, "losses", logits, targets);
                    addTo(sums, labels, from, losses.toFloatArray());
                }
            }
        }
        return sums;
    }

    private double[] evaluate(EnginePass pass, NDManager owner, NDArray ids, Labels labels) {
        double[] sums = new double[labels.rows()];
        try (NDManager step = owner.newSubManager();
                LayerPass shared = passes.layers(step, ids, null)) {
            NDArray table = decoder.embeddings();
            addTo(sums, labels, 0, pass.losses(shared, table, ids, labels, chunkRows()));
        }
        return sums;
    }

    /** Tells what the model says of the labelled tokens. */
    TokenScores scores(
            NDManager owner, Weights weights, NDArray ids, Labels labels, double temperature) {
        if (labels.count() == 0) {
            return TokenScores.of(labels, new float[0]);
        }
        try (EnginePass pass = passes.begin(weights)) {
            if (pass != null) {
                try (NDManager step = owner.newSubManager();
                        LayerPass shared = passes.layers(step, ids, null)) {
                    NDArray table = decoder.embeddings();
                    return TokenScores.of(
                            labels,
                            pass.scores(shared, table, ids, labels, temperature, chunkRows()));
                }
            }
        }
        try (GradMode off = GradMode.disabled();
                NDManager step = owner.newSubManager()) {
            NDArray picked = picked(step, weights, ids, null, labels, null);
            return TokenScores.of(labels, told(step, weights, picked, labels, temperature));
        }
    }

    /**
     * Tells of the tokens chunk by chunk. In training gradients are recorded, for nothing: an
     * adapted head may be one effective weight, which backward is to reach later.
     */
    private float[] told(
            NDManager step, Weights weights, NDArray picked, Labels labels, double temperature) {
        FloatBuffer all = FloatBuffer.allocate(4 * labels.count());
        for (int from = 0; from < labels.count(); from += chunkRows()) {
            int to = Math.min(labels.count(), from + chunkRows());
            try (NDManager scope = step.newSubManager()) {
                NDArray x = Kernels.rows(scope, picked, from, to).stopGradient();
                NDArray logits = tempered(scope, decoder.project(scope, weights, x), temperature);
                NDArray targets = labels.targets(scope, from, to);
                try (GradMode off = GradMode.disabled()) {
                    all.put(
                            Kernels.DECODER
                                    .call(scope, "token_scores", logits, targets)
                                    .toFloatArray());
                }
            }
        }
        return all.array();
    }

    /**
     * Adds the gradient of the sum of all losses, each times its factor, to whatever parameters
     * require one, and returns each row's sum of losses.
     *
     * @param tokens (B, S), 1 for tokens and 0 for padding; null if there is none that matters
     * @param share what the routers' loss is multiplied by besides its own weight
     */
    double[] backward(
            NDManager owner,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            Labels labels,
            double share,
            LossFactors factors) {
        double[] sums = new double[labels.rows()];
        if (labels.count() == 0) {
            return sums;
        }
        try (EnginePass pass = passes.begin(weights)) {
            if (pass != null) {
                return backward(pass, owner, ids, tokens, labels, share, factors);
            }
        }
        try (GradMode recording = GradMode.enabled();
                NDManager step = owner.newSubManager()) {
            Routing routing = passes.routing(step, tokens);
            NDArray picked = picked(step, weights, ids, tokens, labels, routing);
            double temperature = factors.temperature();
            NDArray each = factors.of(step, () -> told(step, weights, picked, labels, temperature));
            NDArray upstream = Tensors.empty(step, picked.getShape(), ScalarType.of(picked));
            for (int from = 0; from < labels.count(); from += chunkRows()) {
                int to = Math.min(labels.count(), from + chunkRows());
                try (NDManager scope = step.newSubManager()) {
                    NDArray x = Kernels.rows(scope, picked, from, to).stopGradient();
                    x.setRequiresGradient(true);
                    NDArray logits =
                            tempered(scope, decoder.project(scope, weights, x), temperature);
                    NDArray targets = labels.targets(scope, from, to);
                    NDArray own = each.size() == 1 ? each : Kernels.rows(scope, each, from, to);
                    NDList lossAndGradient = lossesAndGradient(scope, logits, targets, own);
                    // an adapted head may be one effective weight for all chunks and for the
                    // embeddings; what a chunk has for itself is freed with its scope
                    Gradients.backwardKeepingGraph(logits, lossAndGradient.get(1));
                    Tensors.copy(x.getGradient(), Kernels.rows(scope, upstream, from, to));
                    addTo(sums, labels, from, lossAndGradient.get(0).toFloatArray());
                }
            }
            if (Kernels.isTracked(picked)) { // else nothing below the head is trained
                if (routing == null) {
                    Gradients.backward(picked, upstream);
                } else {
                    routing.backward(picked, upstream, share);
                }
            }
        }
        return sums;
    }

    private double[] backward(
            EnginePass pass,
            NDManager owner,
            NDArray ids,
            @Nullable NDArray tokens,
            Labels labels,
            double share,
            LossFactors factors) {
        double[] sums = new double[labels.rows()];
        try (NDManager step = owner.newSubManager();
                LayerPass shared = passes.balanced(step, ids, tokens, share)) {
            NDArray table = decoder.embeddings();
            addTo(
                    sums,
                    labels,
                    0,
                    pass.backward(
                            shared,
                            table,
                            ids,
                            labels,
                            factors,
                            chunkRows(),
                            passes.checkpointing()));
        }
        return sums;
    }

    private static NDArray tempered(NDManager scope, NDArray logits, double temperature) {
        return temperature == 1
                ? logits
                : logits.div(Tensors.of(scope, new float[] {(float) temperature}, new Shape(1)));
    }

    private static NDList lossesAndGradient(
            NDManager scope, NDArray logits, NDArray targets, NDArray factors) {
        try (GradMode off = GradMode.disabled()) {
            return Kernels.DECODER.callList(scope, "losses_and_gradient", logits, targets, factors);
        }
    }

    /** Returns the hidden states (N, H) that predict the labels. */
    private NDArray picked(
            NDManager step,
            Weights weights,
            NDArray ids,
            @Nullable NDArray tokens,
            Labels labels,
            @Nullable Routing routing) {
        try (NDManager scope = step.newSubManager()) {
            return passes.picked(step, weights, ids, tokens, labels.positions(scope), routing);
        }
    }

    private int chunkRows() {
        return chunkRows(decoder.architecture().vocabularySize());
    }

    /** Returns how many rows of logits exist at a time. */
    static int chunkRows(int vocabularySize) {
        return Math.max(LEAST_ROWS, CHUNK_ELEMENTS / vocabularySize);
    }

    private static void addTo(double[] sums, Labels labels, int from, float[] values) {
        for (int i = 0; i < values.length; i++) {
            sums[labels.rowOf(from + i)] += values[i];
        }
    }
}
