package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import java.util.Arrays;
import java.util.List;

/**
 * Some examples as tensors, padded on the right to the longest of them. Attention is causal, so
 * that no token sees the padding behind it; its id does not matter, and it has no label.
 *
 * @param ids int64 (batch, length)
 * @param mask int64 (batch, length), 1 for tokens and 0 for padding
 * @param labels int64 (batch, length)
 */
public record Batch(NDArray ids, NDArray mask, NDArray labels) implements AutoCloseable {

    /**
     * Makes a batch.
     *
     * @param owner the manager of the tensors
     * @param examples its rows, one at least
     * @return the batch; close it
     */
    public static Batch of(NDManager owner, List<Example> examples) {
        int length = examples.stream().mapToInt(Example::length).max().orElseThrow();
        long[] ids = new long[examples.size() * length];
        long[] mask = new long[ids.length];
        long[] labels = new long[ids.length];
        Arrays.fill(labels, Example.IGNORED);
        for (int row = 0; row < examples.size(); row++) {
            Example example = examples.get(row);
            System.arraycopy(example.ids(), 0, ids, row * length, example.length());
            Arrays.fill(mask, row * length, row * length + example.length(), 1);
            System.arraycopy(example.labels(), 0, labels, row * length, example.length());
        }
        Shape shape = new Shape(examples.size(), length);
        return new Batch(
                Tensors.of(owner, ids, shape),
                Tensors.of(owner, mask, shape),
                Tensors.of(owner, labels, shape));
    }

    /** Frees the tensors. */
    @Override
    public void close() {
        ids.close();
        mask.close();
        labels.close();
    }
}
