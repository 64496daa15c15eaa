package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * One pass of a {@link LayerEngine}.
 *
 * <pre>
 *   embed ── stage ── … ── stage ── norm, head, loss
 *                              ↖ what backward needs is kept from the first trained stage on
 * </pre>
 */
final class EnginePass implements AutoCloseable {

    private final List<StagePass> stages;
    private final HeadStage head;
    private final GroupUpdates headUpdates;
    private final Runnable onClose;

    EnginePass(List<StagePass> stages, HeadStage head, GroupUpdates headUpdates) {
        this(
                stages,
                head,
                headUpdates,
                () -> {
                    stages.forEach(StagePass::close);
                    headUpdates.close();
                });
    }

    private EnginePass(
            List<StagePass> stages, HeadStage head, GroupUpdates headUpdates, Runnable onClose) {
        this.stages = stages;
        this.head = head;
        this.headUpdates = headUpdates;
        this.onClose = onClose;
    }

    /** Returns this pass, which someone else frees and is told when it has been used. */
    EnginePass closing(Runnable used) {
        return new EnginePass(stages, head, headUpdates, used);
    }

    /** Computes the last hidden states (B, S, H), after the last norm. */
    NDArray hidden(NDManager owner, LayerPass pass, NDArray table, NDArray ids) {
        try (TorchValue h = layers(pass, table, ids);
                TorchValue numbers = head.numbers(0);
                TorchValue normed =
                        pass.kernels().infer("last_norm", h, head.tensors().norms(), numbers)) {
            return normed.tensor(owner);
        }
    }

    /** Computes the logits (B, V), float32, that follow the last column. */
    NDArray lastLogits(NDManager owner, LayerPass pass, NDArray table, NDArray ids) {
        StageTensors base = head.tensors();
        try (TorchValue h = layers(pass, table, ids);
                TorchValue numbers = head.numbers(0);
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

    /** Computes what the last stage gives; close it. */
    private TorchValue layers(LayerPass pass, NDArray table, NDArray ids) {
        TorchValue h = embed(pass, table, ids);
        boolean complete = false;
        try {
            for (StagePass stage : stages) {
                h = replace(h, output(stage.forward(pass, h, false)));
            }
            complete = true;
            return h;
        } finally {
            if (!complete) {
                h.close();
            }
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
     * @param scale the factor of each loss in what is differentiated
     * @param chunk how many rows of logits exist at a time
     * @return the losses, one per label
     */
    float[] backward(
            LayerPass pass, NDArray table, NDArray ids, Labels labels, double scale, int chunk) {
        giveGradients(pass);
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
                StagePass.Forward forward = stage.forward(pass, h, true);
                kept.push(new Kept(h, forward));
                h = forward.takeOutput();
            }
            return backward(pass, h, kept, labels, scale, chunk);
        } finally {
            h.close();
            kept.forEach(Kept::close);
        }
    }

    private float[] backward(
            LayerPass pass,
            TorchValue last,
            Deque<Kept> kept,
            Labels labels,
            double scale,
            int chunk) {
        try (TorchValue result = head(pass, last, labels, scale, chunk)) {
            TorchValue dh = pass.kernels().infer("second", result);
            try (dh) {
                while (!kept.isEmpty()) {
                    try (Kept stage = kept.pop()) {
                        stage.forward.backward(stage.input, dh, !kept.isEmpty());
                    }
                }
            }
            return losses(pass, result);
        }
    }

    private static float[] losses(LayerPass pass, TorchValue result) {
        try (TorchValue losses = pass.kernels().infer("first", result);
                NDManager scope = pass.owner().newSubManager()) {
            return losses.tensor(scope).toFloatArray();
        }
    }

    private TorchValue head(LayerPass pass, TorchValue h, Labels labels, double scale, int chunk) {
        StageTensors base = head.tensors();
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue rows = TorchValue.of(labels.positions(scope));
                TorchValue targets = TorchValue.of(labels.targets(scope, 0, labels.count()));
                TorchValue size = TorchValue.ofLongs(chunk);
                TorchValue numbers = head.numbers(scale)) {
            return pass.kernels()
                    .infer(
                            "head",
                            h,
                            rows,
                            targets,
                            base.norms(),
                            base.weights(0),
                            base.biases(0),
                            headUpdates.tensors(),
                            headUpdates.layers(),
                            headUpdates.numbers(),
                            size,
                            numbers);
        }
    }

    /** The kernels add to the gradients that tensors hold; libtorch gives them their first one. */
    private void giveGradients(LayerPass pass) {
        List<NDArray> trained = new ArrayList<>(headUpdates.trained());
        stages.forEach(stage -> trained.addAll(stage.trained()));
        if (trained.isEmpty()) {
            return;
        }
        TextModule kernels = pass.kernels();
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue all = TorchValue.of(trained);
                TorchValue bare = kernels.infer("bare", all)) {
            List<NDArray> without = bare.tensors(scope);
            if (!without.isEmpty()) {
                try (GradMode recording = GradMode.enabled()) {
                    Gradients.backward(
                            kernels.callLists(scope, "nothing_of", List.of(new NDList(without)))
                                    .singletonOrThrow());
                }
            }
        }
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
     * @param input what it was computed of
     * @param forward what it gave and keeps
     */
    private record Kept(TorchValue input, StagePass.Forward forward) implements AutoCloseable {

        @Override
        public void close() {
            input.close();
            forward.close();
        }
    }
}
