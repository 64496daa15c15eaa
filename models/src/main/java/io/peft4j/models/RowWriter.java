package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * Fills float32 tensors of any size, a few rows at a time, through one staging buffer: an array of
 * Java's and a call into native code both end at 2^31 elements.
 */
final class RowWriter implements AutoCloseable {

    private static final long CHUNK_ELEMENTS = 1 << 20;

    private final NDManager manager;
    private ByteBuffer staging;

    RowWriter(NDManager parent) {
        manager = parent.newSubManager();
        staging = manager.allocateDirect(0);
    }

    /** Returns how many elements to give at once to a tensor: whole rows, about 4 MB of them. */
    static int chunkElements(Shape shape) {
        long row = rowElements(shape);
        return Math.toIntExact(row * Math.max(1, CHUNK_ELEMENTS / row));
    }

    /** Returns the elements of one entry along the first axis. */
    static long rowElements(Shape shape) {
        return shape.dimension() < 2 ? 1 : Math.max(1, shape.slice(1).size());
    }

    /**
     * Copies whole rows into a tensor.
     *
     * @param target the tensor
     * @param firstElement the index of the first value in the flat tensor, the start of a row
     * @param values as many as {@link #chunkElements}, or fewer at the end
     */
    void put(NDArray target, long firstElement, FloatBuffer values) {
        int count = values.remaining();
        if (staging.capacity() < count * Float.BYTES) {
            staging = manager.allocateDirect(count * Float.BYTES);
        }
        staging.clear().limit(count * Float.BYTES);
        staging.asFloatBuffer().put(values);
        long row = rowElements(target.getShape());
        try (GradMode off = GradMode.disabled();
                NDManager scope = manager.newSubManager()) {
            NDArray view =
                    Kernels.rows(scope, target, firstElement / row, (firstElement + count) / row);
            Tensors.copy(scope.create(staging, view.getShape(), DataType.FLOAT32), view);
        }
    }

    @Override
    public void close() {
        manager.close();
    }
}
