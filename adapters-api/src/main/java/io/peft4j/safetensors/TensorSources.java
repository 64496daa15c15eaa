package io.peft4j.safetensors;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.function.ObjIntConsumer;

/** Tensors to write: from arrays, from bytes, and from another file. */
public final class TensorSources {

    private static final int BUFFER_BYTES = 1 << 16;

    private TensorSources() {}

    /**
     * Returns a floating-point tensor, rounded to the nearest value of its type (ties to even).
     *
     * @param dtype F64, F32, BF16 or F16
     * @param values the elements, row by row; not copied
     * @param shape the sizes
     * @return the tensor
     * @throws IllegalArgumentException if the type is no floating-point type or the shape does not
     *     hold as many elements
     */
    public static TensorSource ofFloats(Dtype dtype, float[] values, long... shape) {
        if (!dtype.isFloat()) {
            throw new IllegalArgumentException("expected a floating-point type, found " + dtype);
        }
        return new Elements(
                dtype,
                checkedShape(values.length, shape),
                values.length,
                (bytes, i) -> ElementCodec.encodeFloat(dtype, values[i], bytes));
    }

    /**
     * Returns an integer or BOOL tensor.
     *
     * @param dtype I64, I32, I16, I8, U8 or BOOL
     * @param values the elements, row by row; not copied
     * @param shape the sizes
     * @return the tensor; writing it throws ArithmeticException if a value does not fit the type
     * @throws IllegalArgumentException if the type is a floating-point type or the shape does not
     *     hold as many elements
     */
    public static TensorSource ofLongs(Dtype dtype, long[] values, long... shape) {
        if (dtype.isFloat()) {
            throw new IllegalArgumentException("expected an integer type, found " + dtype);
        }
        return new Elements(
                dtype,
                checkedShape(values.length, shape),
                values.length,
                (bytes, i) -> ElementCodec.encodeLong(dtype, values[i], bytes));
    }

    /**
     * Returns a tensor of raw little-endian bytes.
     *
     * @param dtype the element type
     * @param bytes from position to limit; not copied, not moved
     * @param shape the sizes
     * @return the tensor
     * @throws IllegalArgumentException if the shape does not take as many bytes
     */
    public static TensorSource ofBytes(Dtype dtype, ByteBuffer bytes, long... shape) {
        List<Long> sizes = checkedShape(bytes.remaining() / dtype.bytes(), shape);
        if (bytes.remaining() % dtype.bytes() != 0) {
            throw new IllegalArgumentException(
                    "expected whole elements of "
                            + dtype
                            + ", found "
                            + bytes.remaining()
                            + " bytes");
        }
        return new Streamed(dtype, sizes, channel -> channel.write(bytes.duplicate()));
    }

    /**
     * Returns a tensor of another file, copied piece by piece.
     *
     * @param reader the file; must stay open until the copy is written
     * @param tensor one of its tensors
     * @return the tensor, with the same type, shape and bits
     */
    public static TensorSource copyOf(TensorReader reader, TensorInfo tensor) {
        return new Streamed(
                tensor.dtype(),
                tensor.shape(),
                channel -> {
                    ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
                    for (long at = 0; at < tensor.byteCount(); at += BUFFER_BYTES) {
                        buffer.clear().limit((int) Math.min(BUFFER_BYTES, tensor.byteCount() - at));
                        reader.read(tensor, at, buffer);
                        channel.write(buffer.flip());
                    }
                });
    }

    private static List<Long> checkedShape(long elements, long... shape) {
        List<Long> sizes = TensorSource.shape(shape);
        if (sizes.stream().anyMatch(size -> size < 0)
                || TensorSource.elementCount(sizes) != elements) {
            throw new IllegalArgumentException(
                    "expected a shape of " + elements + " elements, found " + sizes);
        }
        return sizes;
    }

    private record Elements(
            Dtype dtype, List<Long> shape, int count, ObjIntConsumer<ByteBuffer> encoder)
            implements TensorSource {
        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < count; i++) {
                if (bytes.remaining() < dtype.bytes()) {
                    channel.write(bytes.flip());
                    bytes.clear();
                }
                encoder.accept(bytes, i);
            }
            channel.write(bytes.flip());
        }
    }

    private interface Writing {
        void writeTo(WritableByteChannel channel) throws IOException;
    }

    private record Streamed(Dtype dtype, List<Long> shape, Writing writing)
            implements TensorSource {
        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            writing.writeTo(channel);
        }
    }
}
