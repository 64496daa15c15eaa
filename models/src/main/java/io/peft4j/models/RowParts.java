package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.Preconditions;
import io.peft4j.adapters.RowAdapters;
import io.peft4j.torch.Tensors;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Batches whose rows have adapters of their own, taken apart and put together. */
final class RowParts {

    private RowParts() {}

    /** Computes a part. */
    interface Computation {
        NDArray of(Weights.Part part, Rows rows);
    }

    /**
     * The rows of a part.
     *
     * @param owner owns what is taken
     * @param part which rows
     */
    record Rows(NDManager owner, Weights.Part part) {

        NDArray of(NDArray batch) {
            NDArray rows =
                    Kernels.rows(owner, batch, part.start(), (long) part.start() + part.count());
            rows.attach(owner);
            return rows;
        }

        @Nullable NDArray ofNullable(@Nullable NDArray batch) {
            return batch == null ? null : of(batch);
        }
    }

    /** Computes part after part, as if each were a batch, and joins the results. */
    static NDArray together(NDManager owner, Weights weights, Computation computation) {
        try (NDManager scope = owner.newSubManager()) {
            NDList results = new NDList();
            for (Weights.Part part : weights.parts()) {
                results.add(computation.of(part, new Rows(scope, part)));
            }
            return Kernels.DECODER
                    .callLists(owner, "together", List.of(results))
                    .singletonOrThrow();
        }
    }

    /**
     * Makes sure that there is a name for each row, or none at all.
     *
     * @throws IllegalArgumentException if there is not
     */
    static void requireOneEach(List<String> adapterNames, long rows) {
        Preconditions.checkArgument(
                adapterNames.isEmpty() || adapterNames.size() == rows,
                "expected an adapter name for each of "
                        + rows
                        + " rows, found "
                        + adapterNames.size());
    }

    /** Lays rows so that those of one adapter stand together. */
    static NDArray laid(NDManager owner, NDArray batch, RowAdapters rows) {
        return rows(owner, batch, rows.order());
    }

    /** Undoes {@link #laid}. */
    static NDArray asNamed(NDManager owner, NDArray batch, RowAdapters rows) {
        Integer[] back = new Integer[rows.order().size()];
        for (int i = 0; i < back.length; i++) {
            back[rows.order().get(i)] = i;
        }
        return rows(owner, batch, List.of(back));
    }

    private static NDArray rows(NDManager owner, NDArray batch, List<Integer> order) {
        long[] numbers = order.stream().mapToLong(Integer::longValue).toArray();
        try (NDArray index = Tensors.of(owner, numbers, new Shape(numbers.length))) {
            return Kernels.DECODER.call(owner, "rows_of", batch, index);
        }
    }
}
