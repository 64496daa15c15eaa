package io.peft4j.safetensors;

import java.util.List;

/**
 * Where one tensor lies in a file and how to read it.
 *
 * @param name the tensor's name
 * @param dtype the element type
 * @param shape the sizes, outermost first; empty for a scalar
 * @param begin the first byte, counted from the end of the file's header
 * @param end the byte after the last
 */
public record TensorInfo(String name, Dtype dtype, List<Long> shape, long begin, long end) {

    /**
     * Copies the shape.
     *
     * @param name the tensor's name
     * @param dtype the element type
     * @param shape the sizes
     * @param begin the first byte
     * @param end the byte after the last
     */
    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /**
     * Returns the size of the data.
     *
     * @return bytes
     */
    public long byteCount() {
        return end - begin;
    }

    /**
     * Returns the number of elements.
     *
     * @return the product of the shape; 1 for a scalar
     */
    public long elementCount() {
        return byteCount() / dtype.bytes();
    }
}
