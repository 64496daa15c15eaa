package io.peft4j.models;

import java.util.List;

/**
 * A {@link LinearGroup} as far as memory depends on it: what {@code projection.ts} makes.
 *
 * @param in the width of its input
 * @param outs the widths of its layers' results
 * @param biased whether one of them has a bias
 * @param updates what adapters add
 */
record GroupSize(long in, List<Long> outs, boolean biased, List<Update> updates) {

    /**
     * What an adapter adds.
     *
     * @param out the width of its layer's result
     * @param shape its shape
     */
    record Update(long out, LowRankShape shape) {

        boolean keepsResult() {
            return shape.magnitude() && shape.dropout();
        }
    }

    long out() {
        return outs.stream().mapToLong(Long::longValue).sum();
    }

    boolean hasGain() {
        return updates.stream().anyMatch(update -> update.shape().magnitude());
    }

    boolean isDropping() {
        return updates.stream().anyMatch(update -> update.shape().dropout());
    }

    /** Returns what {@code project} gives for backward beside its results: u and the zs. */
    long kept(StepSize size) {
        long width = 0;
        for (Update update : updates) {
            width += update.shape().rank() + (update.keepsResult() ? update.out() : 0);
        }
        return size.activation(width);
    }

    /** Returns the masks of dropout, a byte per element of the input and update. */
    long masks(StepSize size) {
        long dropping = updates.stream().filter(update -> update.shape().dropout()).count();
        return size.tokens() * in * dropping;
    }

    /** Returns what {@code project_backward} makes, its result among it. */
    long backward(StepSize size, boolean needsInput) {
        long most = 0;
        long partial = 0; // gradients by dropped inputs
        for (Update update : updates) {
            if (update.shape().magnitude()) {
                most = Math.max(most, partial + size.summed(update.out()));
            }
            if (update.keepsResult() && needsInput) {
                partial += size.activation(in);
                long turned = size.activation(update.out());
                most = Math.max(most, partial + turned + product(size, update.out(), in));
            }
        }
        long dropped = isDropping() ? size.activation(in) : 0;
        if (needsInput) {
            long sums = size.activation(in) * (outs.size() > 1 ? 2 : 1);
            long widest = outs.stream().mapToLong(Long::longValue).max().orElse(0);
            long products = sums + product(size, widest, in);
            most = Math.max(most, partial + Math.max(products, size.activation(in) + 2 * dropped));
        }
        return Math.max(most, dropped);
    }

    /** Returns what a product of (T, from) with a weight makes beside its result. */
    private static long product(StepSize size, long from, long to) {
        if (size.product() != MatrixProduct.WIDENED || !size.isNarrow()) {
            return 0;
        }
        long part = Math.min(MatrixProduct.WIDENED_ELEMENTS, from * to);
        return size.wide(to) + size.wide(Math.max(1, part / to)) + part * StepSize.FLOAT;
    }
}
