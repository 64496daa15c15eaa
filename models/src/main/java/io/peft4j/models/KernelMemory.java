package io.peft4j.models;

import java.util.stream.LongStream;

/**
 * What the kernels of {@code attention.ts}, {@code feed_forward.ts} and {@code head.ts} keep and
 * make, line by line: change both together. Tests compare what is kept with the kernels' own lists
 * and the whole with a process. Of what a backward makes, each method lists the places where most
 * lives at once. Not counted are matrices of the size of an adapter, and what a library's product
 * takes for itself.
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
    private static long norm(StepSize s, long width) {
        return s.activation(width) + s.wide(width) * (s.isNarrow() ? 3 : 2);
    }

    static StageMemory feedForward(
            StepSize s, long hiddenSize, long width, GroupSize first, GroupSize second) {
        long hidden = s.activation(hiddenSize);
        long inner = s.activation(width);
        long kept =
                hidden // the result
                        + s.wide(1) // r
                        + (second.hasGain() ? hidden : 0) // y
                        + 2 * inner // gate and up
                        + first.kept(s)
                        + second.kept(s);
        long masks = first.masks(s) + second.masks(s);
        long down =
                2 * inner // act and a
                        + (second.hasGain() ? hidden * (second.biased() ? 2 : 1) : 0)
                        + second.backward(s, true);
        long gates = 4 * inner; // act, da, dgate and dup
        long results = first.hasGain() && first.biased() ? 2 * inner : 0;
        long projections = 2 * inner + results + hidden + first.backward(s, true);
        return new StageMemory(kept, masks + most(down, gates, projections, norm(s, hiddenSize)));
    }

    /** What the head makes until it has given the losses and the gradient by its input. */
    static long head(StepSize s, long hiddenSize, long vocabulary, GroupSize group) {
        long labels = s.rows() * Math.max(0, s.length() - 1);
        StepSize all = s.of(labels);
        long picked = 2 * all.activation(hiddenSize); // x and n
        StepSize chunk = s.of(Math.min(labels, NextTokenLoss.chunkRows((int) vocabulary)));
        long logits = chunk.activation(vocabulary);
        long wide = chunk.wide(vocabulary);
        long softmax = logits + wide + (s.isNarrow() ? wide : 0);
        long gradient = logits + (s.isNarrow() ? logits : wide) + group.backward(chunk, true);
        long end =
                s.activation(hiddenSize) // dh
                        + norm(all, hiddenSize)
                        - all.activation(hiddenSize) // of which n is a part
                        + (s.isNarrow() ? all.activation(hiddenSize) : 0);
        return picked + most(softmax, gradient, end);
    }

    private static long most(long... places) {
        return LongStream.of(places).max().orElse(0);
    }
}
