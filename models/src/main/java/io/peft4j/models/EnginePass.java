package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One pass of a {@link LayerEngine}.
 *
 * <pre>
 *   embed ── stage ── … ── stage ── norm, head, loss, or norm, score head
 *                              ↖ what backward needs is kept from the first trained stage on,
 *                                or its input alone (Chen et al., arXiv:1604.06174)
 * </pre>
 */
final class EnginePass implements AutoCloseable {

    private final List<StagePass> stages;
    private final HeadStage head;
    private final GroupUpdates headUpdates;
    private final ActivationMemory activations;
    private final Runnable onClose;

    EnginePass(
            List<StagePass> stages,
            HeadStage head,
            GroupUpdates headUpdates,
            ActivationMemory activations) {
        this(
                stages,
                head,
                headUpdates,
                activations,
                () -> {
                    stages.forEach(StagePass::close);
                    headUpdates.close();
                });
    }

    private EnginePass(
            List<StagePass> stages,
            HeadStage head,
            GroupUpdates headUpdates,
            ActivationMemory activations,
            Runnable onClose) {
        this.stages = stages;
        this.head = head;
        this.headUpdates = headUpdates;
        this.activations = activations;
        this.onClose = onClose;
    }

    /** Returns this pass, which someone else frees and is told when it has been used. */
    EnginePass closing(Runnable used) {
        return new EnginePass(stages, head, headUpdates, activations, used);
    }

    /** Computes the last hidden states (B, S, H), after the last norm. */
    NDArray hidden(NDManager owner, LayerPass pass, NDArray table, NDArray ids) {
        try (TorchValue h = last(pass, table, ids);
                TorchValue numbers = head.numbers(1);
                TorchValue normed =
                        pass.kernels().infer("last_norm", h, head.tensors().norms(), numbers)) {
            return normed.tensor(owner);
        }
    }

    /**
     * Computes the losses alone.
     *
     * @param pass what the stages share
     * @param table the embeddings
     * @param ids (B, S)
     * @param labels which tokens have a loss
     * @param chunk how many rows of logits exist at a time
     * @return the losses, one per label
     */
    float[] losses(LayerPass pass, NDArray table, NDArray ids, Labels labels, int chunk) {
        try (TorchValue h = last(pass, table, ids);
                TorchValue losses = head("head_losses", pass, h, labels, null, 1, chunk)) {
            return floats(pass, losses);
        }
    }

    /**
     * Computes what is told of the labelled tokens.
     *
     * @param pass as in {@link #losses}
     * @param table as there
     * @param ids as there
     * @param labels as there
     * @param temperature what logits are divided by
     * @param chunk as there
     * @return (N, 4), see {@code token_scores.ts}
     */
    float[] scores(
            LayerPass pass,
            NDArray table,
            NDArray ids,
            Labels labels,
            double temperature,
            int chunk) {
        try (TorchValue h = last(pass, table, ids)) {
            return scores(pass, h, labels, temperature, chunk);
        }
    }

    private float[] scores(
            LayerPass pass, TorchValue h, Labels labels, double temperature, int chunk) {
        try (TorchValue told = head("head_scores", pass, h, labels, null, temperature, chunk)) {
            return floats(pass, told);
        }
    }

    /** Computes the logits (B, V), float32, that follow the last column. */
    NDArray lastLogits(NDManager owner, LayerPass pass, NDArray table, NDArray ids) {
        StageTensors base = head.tensors();
        try (TorchValue h = last(pass, table, ids);
                TorchValue numbers = head.numbers(1);
                TorchValue logits =
                        pass.kernels()
                                .infer(
                                        "last_logits",
                                        h,
                                        base.norms(),
                                        base.weights(0),
                                        base.biases(0),
                                        headUpdates.tensors(),
                                        headUpdates.layers(),
                                        headUpdates.numbers(),
                                        numbers)) {
            return logits.tensor(owner);
        }
    }

    /** Computes the hidden states that the last layer gives, and keeps nothing else. */
    private TorchValue last(LayerPass pass, NDArray table, NDArray ids) {
        TorchValue h = embed(pass, table, ids);
        try {
            for (StagePass stage : stages) {
                h = replace(h, output(stage.forward(pass, h, false)));
            }
            return h;
        } catch (RuntimeException | Error e) {
            h.close();
            throw e;
        }
    }

    private static TorchValue embed(LayerPass pass, NDArray table, NDArray ids) {
        try (TorchValue weight = TorchValue.of(table);
                TorchValue tokens = TorchValue.of(ids)) {
            return pass.kernels().infer("embed", weight, tokens);
        }
    }

    private static TorchValue output(StagePass.Forward forward) {
        try (forward) {
            return forward.takeOutput();
        }
    }

    private static TorchValue replace(TorchValue old, TorchValue next) {
        old.close();
        return next;
    }

    /**
     * Runs forward and backward: adds to the gradients of all adapters.
     *
     * @param pass what the stages share
     * @param table the embeddings
     * @param ids (B, S)
     * @param labels which tokens have a loss
     * @param factors of each loss in what is differentiated
     * @param chunk how many rows of logits exist at a time
     * @param recompute whether a stage keeps its input alone, and is computed again in backward
     * @return the losses, one per label
     */
    float[] backward(
            LayerPass pass,
            NDArray table,
            NDArray ids,
            Labels labels,
            LossFactors factors,
            int chunk,
            boolean recompute) {
        giveGradients(pass, headUpdates.trained());
        return backward(
                pass,
                table,
                ids,
                recompute,
                (h, layers) -> fromLosses(pass, h, labels, factors, chunk, layers));
    }

    /**
     * Runs forward and backward of a loss of the score head's outputs: adds to the gradients of the
     * layers' adapters.
     *
     * @param pass what the stages share
     * @param table the embeddings
     * @param ids (B, S)
     * @param score the head
     * @param slopes tells the loss's derivative by each score
     * @param recompute as in the other backward
     * @return the gradient by the head's weight (1, H)
     */
    float[] backwardFromHead(
            LayerPass pass,
            NDArray table,
            NDArray ids,
            ScoreKernels score,
            UnaryOperator<float[]> slopes,
            boolean recompute) {
        giveGradients(pass, List.of());
        return backward(
                pass,
                table,
                ids,
                recompute,
                (h, layers) -> score.backward(pass, head, h, slopes, layers));
    }

    /** Computes what the score head says of tokens (N), and keeps nothing. */
    float[] headScores(LayerPass pass, NDArray table, NDArray ids, ScoreKernels score) {
        try (TorchValue h = last(pass, table, ids)) {
            return score.scores(pass, head, h);
        }
    }

    /** What follows the layers. */
    private interface End {

        /**
         * Computes what follows and its backward.
         *
         * @param h what the last layer gave
         * @param layers goes on with the gradient by h, in whose place it leaves others
         */
        float[] backward(TorchValue h, Consumer<TorchValue> layers);
    }

    private float[] backward(
            LayerPass pass, NDArray table, NDArray ids, boolean recompute, End end) {
        if (table.getDevice().isGpu()) {
            return forwardAndBackward(pass, table, ids, recompute, end);
        }
        try (ActivationMemory.Use memory = activations.take(pass.kernels(), table.getManager())) {
            pass.keepIn(memory);
            return forwardAndBackward(pass, table, ids, recompute, end);
        }
    }

    private float[] forwardAndBackward(
            LayerPass pass, NDArray table, NDArray ids, boolean recompute, End end) {
        int from = firstTrained();
        Deque<Kept> kept = new ArrayDeque<>();
        TorchValue h = embed(pass, table, ids);
        try {
            for (int i = 0; i < stages.size(); i++) {
                StagePass stage = stages.get(i);
                if (i < from) {
                    h = replace(h, output(stage.forward(pass, h, false)));
                    continue;
                }
                TorchValue input = h;
                if (recompute) {
                    h = pass.keptAlone(output(stage.forward(pass, input, false)));
                    kept.push(new Kept(stage, input, null));
                } else {
                    StagePass.Forward forward = stage.forward(pass, input, true);
                    kept.push(new Kept(stage, input, forward));
                    h = forward.takeOutput();
                }
            }
            pass.freeSpare();
            pass.keepIn(null); // a layer that is computed again is freed before the next
            return end.backward(h, dh -> backward(pass, dh, kept));
        } finally {
            h.close();
            kept.forEach(Kept::close);
        }
    }

    private static void backward(LayerPass pass, TorchValue dh, Deque<Kept> kept) {
        while (!kept.isEmpty()) {
            try (Kept stage = kept.pop()) {
                stage.backward(pass, dh, !kept.isEmpty());
            }
        }
    }

    private float[] fromLosses(
            LayerPass pass,
            TorchValue last,
            Labels labels,
            LossFactors factors,
            int chunk,
            Consumer<TorchValue> layers) {
        double temperature = factors.temperature();
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue each =
                        TorchValue.of(
                                factors.of(
                                        scope,
                                        () -> scores(pass, last, labels, temperature, chunk)));
                TorchValue result = head("head", pass, last, labels, each, temperature, chunk)) {
            try (TorchValue dh = pass.kernels().infer("second", result)) {
                layers.accept(dh);
            }
            try (TorchValue losses = pass.kernels().infer("first", result)) {
                return floats(pass, losses);
            }
        }
    }

    static float[] floats(LayerPass pass, TorchValue values) {
        try (NDManager scope = pass.owner().newSubManager()) {
            return values.tensor(scope).toFloatArray();
        }
    }

    /** Runs a kernel of the head; factors are an argument of the one that has a backward. */
    private TorchValue head(
            String kernel,
            LayerPass pass,
            TorchValue h,
            Labels labels,
            @Nullable TorchValue factors,
            double temperature,
            int chunk) {
        StageTensors base = head.tensors();
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue rows = TorchValue.of(labels.positions(scope));
                TorchValue targets = TorchValue.of(labels.targets(scope, 0, labels.count()));
                TorchValue size = TorchValue.ofLongs(chunk);
                TorchValue numbers = head.numbers(temperature)) {
            List<TorchValue> arguments = new ArrayList<>(List.of(h, rows, targets));
            if (factors != null) {
                arguments.add(factors);
            }
            arguments.addAll(
                    List.of(
                            base.norms(),
                            base.weights(0),
                            base.biases(0),
                            headUpdates.tensors(),
                            headUpdates.layers(),
                            headUpdates.numbers(),
                            size,
                            numbers));
            return pass.kernels().infer(kernel, arguments.toArray(new TorchValue[0]));
        }
    }

    private void giveGradients(LayerPass pass, List<NDArray> ofHead) {
        List<NDArray> reached = new ArrayList<>(ofHead);
        stages.forEach(stage -> reached.addAll(stage.alwaysReached()));
        FirstGradients.give(pass, reached);
    }

    /** Returns the layers, from the first. */
    List<StagePass> stages() {
        return stages;
    }

    private int firstTrained() {
        for (int i = 0; i < stages.size(); i++) {
            if (!stages.get(i).trained().isEmpty()) {
                return i;
            }
        }
        return stages.size();
    }

    @Override
    public void close() {
        onClose.run();
    }

    /**
     * A stage that backward will come to.
     *
     * @param stage the stage
     * @param input what it was computed of
     * @param forward what it gave and keeps; null if it is computed again
     */
    private record Kept(StagePass stage, TorchValue input, StagePass.@Nullable Forward forward)
            implements AutoCloseable {

        void backward(LayerPass pass, TorchValue dh, boolean needInput) {
            if (forward != null) {
                forward.backward(input, dh, needInput);
                return;
            }
            try (StagePass.Forward again = stage.forward(pass, input, true)) {
                pass.freeSpare();
                again.takeOutput().close(); // a stage of several leaves it to its caller
                again.backward(input, dh, needInput);
            }
        }

        @Override
        public void close() {
            input.close();
            if (forward != null) {
                forward.close();
            }
        }
    }
}
