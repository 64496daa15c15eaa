package io.peft4j.models;

import io.peft4j.torch.TorchValue;
import org.jspecify.annotations.Nullable;

/**
 * The loss of {@link Routing} for layers by kernels: which experts the tokens of a pass were sent
 * to, and what follows for each probability.
 *
 * <p>The share of tokens that an expert was sent is a constant in backward, and the loss is linear
 * in the probabilities. So what backward adds to each probability of an expert is one number, which
 * is known when all layers are computed: weight · experts · share / (tokens · layers).
 */
final class RouterBalance {

    private final double weight;
    private final int perToken;
    private final long[] sent;

    /**
     * Creates an empty count.
     *
     * @param experts how many there are, and how many a token is sent to
     * @param weight what the loss is multiplied by
     */
    RouterBalance(Experts experts, double weight) {
        this.weight = weight;
        perToken = experts.perToken();
        sent = new long[experts.count()];
    }

    /** Adds the tokens that each expert of a layer was sent. */
    void add(long[] counts) {
        for (int i = 0; i < sent.length; i++) {
            sent[i] += counts[i];
        }
    }

    /**
     * Returns the slope by each probability of a token that is sent, once all layers have counted.
     *
     * @param balance the count; null if the loss takes no part
     * @return one per expert, or none; close it
     */
    static TorchValue slopes(@Nullable RouterBalance balance) {
        return TorchValue.ofDoubles(balance == null ? new double[0] : balance.slopes());
    }

    private double[] slopes() {
        double total = 0; // tokens times layers
        for (long count : sent) {
            total += (double) count / perToken;
        }
        double[] slopes = new double[sent.length];
        for (int i = 0; i < slopes.length; i++) {
            slopes[i] = weight * sent.length * (sent[i] / total) / total;
        }
        return slopes;
    }
}
