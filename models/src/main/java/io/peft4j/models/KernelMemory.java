package io.peft4j.models;

import java.util.stream.LongStream;

/**
 * What the kernels of {@code attention.ts}, {@code feed_forward.ts} and {@code head.ts} keep and
 * make, line by line: change both together. {@link MixtureMemory} is the same for {@code
 * mixture.ts}. Tests compare what is kept with the kernels' own lists and the whole with a process.
 * Of what a backward makes, each method lists the places where most lives at once. Not counted are
 * matrices of the size of an adapter, and what a library's product takes for itself.
 */
final class KernelMemory {

    private KernelMemory() {}

    /**
     * The widths of an attention.
     *
     * @param hidden H
     * @param queryHeads the number of heads
     * @param query the width of all queries, hk rep D
     * @param key the width of all keys
     * @param normed whether queries and keys have norms
     */
    record AttentionWidths(long hidden, long queryHeads, long query, long key, boolean normed) {}

    static StageMemory attention(StepSize s, AttentionWidths w, GroupSize first, GroupSize second) {
        long hidden = s.activation(w.hidden());
        long query = s.activation(w.query());
        long key = s.activation(w.key());
        long all = query + 2 * key;
        long kept =
                hidden // the result
                        + s.wide(1 + w.queryHeads()) // r and lse
                        + (second.hasGain() ? hidden : 0) // y
                        + 2 * query // q and o
                        + 2 * key
                        + (w.normed() ? all : 0)
                        + first.kept(s)
                        + second.kept(s);
        long masks = first.masks(s) + second.masks(s);
        long output =
                query // joined
                        + (second.hasGain() ? hidden * (second.biased() ? 2 : 1) : 0)
                        + second.backward(s, true);
        // do, dq, and dk and dv as wide as the queries
        long attend = 4 * query + (s.cpu() ? 0 : scores(s, w));
        long turned = 2 * query + 4 * key + turning(s, w);
        long results = first.hasGain() && (!w.normed() || first.biased()) ? all : 0;
        long spare = first.hasGain() && !w.normed() && first.biased() ? all : 0;
        long projections = all + results + spare + hidden + first.backward(s, true);
        return new StageMemory(
                kept, masks + most(output, attend, turned, projections, norm(s, w.hidden())));
    }

    /** Scores in float32 and their gradient, where no fused operation computes them. */
    private static long scores(StepSize s, AttentionWidths w) {
        long elements = s.tokens() * s.length() * w.queryHeads();
        return elements * (2L * StepSize.FLOAT + (s.isNarrow() ? s.element() : 0));
    }

    /** Queries on their way back through rotation and norm. */
    private static long turning(StepSize s, AttentionWidths w) {
        long wide = s.wide(w.query());
        long rotation = s.isNarrow() ? 2 * wide : 0;
        long norm = s.activation(w.query()) + 2 * wide + (s.isNarrow() ? wide : 0);
        return w.normed() ? Math.max(rotation, norm) : rotation;
    }

    /** The gradient by a norm, and what {@code norm_backward} makes of it. */
    static long norm(StepSize s, long width) {
        return s.activation(width) + s.wide(width) * (s.isNarrow() ? 3 : 2);
    }

    static StageMemory feedForward(StepSize s, GroupSize first, GroupSize second) {
        long hidden = s.activation(first.in());
        long kept =
                hidden // the result
                        + s.wide(1) // r
                        + gated(s, first, second);
        long masks = first.masks(s) + second.masks(s);
        long gradient = second.hasGain() ? hidden : 0; // dy
        long backward = masks + hidden + gatedBackward(s, gradient, false, first, second);
        return new StageMemory(kept, Math.max(backward, masks + norm(s, first.in())));
    }

    /** What {@code gated} gives for backward, and its result where down has a gain. */
    static long gated(StepSize s, GroupSize first, GroupSize second) {
        return (second.hasGain() ? s.activation(second.out()) : 0) // y
                + s.activation(first.out()) // gate and up
                + first.kept(s)
                + second.kept(s);
    }

    /**
     * What {@code gated_backward} makes, its result among it, and its input not.
     *
     * @param gradient the bytes of dy, which go when down's backward is done
     * @param weighted whether each token has a weight
     */
    static long gatedBackward(
            StepSize s, long gradient, boolean weighted, GroupSize first, GroupSize second) {
        long both = s.activation(first.out());
        long inner = both / 2;
        long a = first.outs().size() == 1 ? both : inner; // in dys1 if gate and up are fused
        long input = weighted ? inner : 0;
        boolean unbiased = second.hasGain() && second.biased();
        long down =
                gradient
                        + a
                        + input
                        + (unbiased ? s.activation(second.out()) : 0)
                        + second.backward(s, true);
        long weights = weighted ? a + input + inner + s.summed(second.in()) : 0; // dc
        long gates = a + inner; // da
        long results = first.hasGain() && first.biased() ? both : 0;
        long projections = both + results + first.backward(s, true);
        return most(down, weights, gates, projections);
    }

    /** What the head makes until it has given the losses and the gradient by its input. */
    static long head(StepSize s, long hiddenSize, long vocabulary, GroupSize group) {
        long labels = s.rows() * Math.max(0, s.length() - 1);
        StepSize all = s.of(labels);
        long picked = 2 * all.activation(hiddenSize); // x and n
        StepSize chunk = s.of(Math.min(labels, NextTokenLoss.chunkRows((int) vocabulary)));
        long logits = chunk.activation(vocabulary);
        long probabilities = chunk.wide(vocabulary);
        // a gain has use for the logits, and all but float32 is converted
        long kept = group.hasGain() ? logits : 0;
        long softmax = probabilities + (group.hasGain() || s.isNarrow() ? logits : 0);
        long gradient =
                kept
                        + (s.isNarrow() ? logits : probabilities)
                        + Math.max(s.isNarrow() ? probabilities : 0, group.backward(chunk, true));
        long end =
                s.activation(hiddenSize) // dh
                        + norm(all, hiddenSize)
                        - all.activation(hiddenSize) // of which n is a part
                        + (s.isNarrow() ? all.activation(hiddenSize) : 0);
        return picked + most(softmax, gradient, end);
    }

    static long most(long... places) {
        return LongStream.of(places).max().orElse(0);
    }
}
