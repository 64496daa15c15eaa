package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.peft4j.torch.Gradients;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens of one pass are sent to experts, what scores the routers gave them, and the loss
 * that keeps the routers balanced (Fedus et al., arXiv:2101.03961, equations 4 to 6, over the
 * tokens of all layers together):
 *
 * <pre>
 *   experts · Σₑ (share of the tokens that were sent to e) · (mean probability of e)
 * </pre>
 *
 * <p>Padding is sent to no expert: nobody looks at what would come of it, and an expert that saw
 * nothing else must not count as used.
 */
final class Routing {

    private final NDManager owner;
    private final Experts experts;
    private final @Nullable NDArray tokens;
    private final NDList scores = new NDList();

    /**
     * Creates an empty record.
     *
     * @param owner owns the scores
     * @param experts whose scores they are
     * @param tokens (B, S), 1 for tokens and 0 for padding; null if there is none
     */
    Routing(NDManager owner, Experts experts, @Nullable NDArray tokens) {
        this.owner = owner;
        this.experts = experts;
        this.tokens = tokens;
    }

    @Nullable NDArray tokens() {
        return tokens;
    }

    /** Keeps a layer's scores (B S, experts), with their history. */
    void add(NDArray layer) {
        layer.attach(owner);
        scores.add(layer);
    }

    /**
     * Computes the loss; padding does not count.
     *
     * @return a scalar of the owner's
     */
    NDArray auxiliaryLoss() {
        try (NDManager scope = owner.newSubManager()) {
            NDArray counted =
                    tokens == null
                            ? scope.ones(scores.head().getShape().slice(0, 1))
                            : tokens.toType(DataType.FLOAT32, true).flatten();
            counted.attach(scope);
            return MixtureOfExperts.KERNELS
                    .callLists(
                            owner,
                            "auxiliary_loss",
                            List.of(scores),
                            counted,
                            Kernels.constant(experts.perToken()))
                    .singletonOrThrow();
        }
    }

    /**
     * Sends gradients back from hidden states and from the loss in one pass.
     *
     * @param hidden the hidden states
     * @param upstream their gradient
     * @param share what the loss counts beside its weight
     */
    void backward(NDArray hidden, NDArray upstream, double share) {
        try (NDManager scope = owner.newSubManager();
                NDManager host = scope.newSubManager(Device.cpu())) {
            NDArray weight = host.create(experts.auxiliaryWeight().orElse(0) * share);
            Gradients.backward(
                    MixtureOfExperts.KERNELS.call(
                            scope, "joined", hidden, upstream, auxiliaryLoss(), weight));
        }
    }
}
