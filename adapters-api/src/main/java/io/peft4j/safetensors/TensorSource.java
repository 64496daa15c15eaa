package io.peft4j.safetensors;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * A tensor that gives its bytes when they are written, so that a model larger than the heap can be
 * saved tensor by tensor. {@link TensorSources} makes the usual ones.
 */
public interface TensorSource {

    /**
     * Returns the element type in the file.
     *
     * @return the type
     */
    Dtype dtype();

    /**
     * Returns the sizes, outermost first.
     *
     * @return the shape; empty for a scalar
     */
    List<Long> shape();

    /**
     * Writes all elements, row by row, little-endian.
     *
     * @param channel takes the bytes; blocks until all of a buffer is written
     * @throws IOException if writing fails
     */
    void writeTo(WritableByteChannel channel) throws IOException;

    /**
     * Returns a shape as a list.
     *
     * @param sizes the sizes, outermost first
     * @return the list
     */
    static List<Long> shape(long... sizes) {
        return Arrays.stream(sizes).boxed().toList();
    }

    /**
     * Returns the number of elements of a shape.
     *
     * @param shape the sizes
     * @return their product
     * @throws ArithmeticException if it exceeds 63 bits
     */
    static long elementCount(List<Long> shape) {
        return LongStream.concat(LongStream.of(1), shape.stream().mapToLong(Long::longValue))
                .reduce(1, Math::multiplyExact);
    }
}
