package io.peft4j.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.Locale;

/**
 * Moves elements between bytes, as a file holds them, and arrays of any size, and converts from one
 * type to another on the way: to the nearest value, ties to the even one. Java's buffers and DJL's
 * calls end at 2 GiB, arrays do not: the elements travel in pieces of a megabyte, through one
 * staging buffer, so that a model is loaded in little more memory than its weights take. What needs
 * no conversion is read into the array's own memory.
 *
 * <p>Arrays may be on any device, and may be parameters that require a gradient. A transfer is for
 * one thread.
 */
public final class ElementTransfer implements AutoCloseable {

    // native copies of a piece take several times its size; a call takes a tenth of a millisecond
    static final int CHUNK_BYTES = 1 << 20;

    /** What is read at a time where nothing is converted. */
    static final int IN_PLACE_BYTES = 1 << 24;

    private static final boolean LITTLE_ENDIAN = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      # Type 0 is uint8. A text cannot reach the view of another type, only the view
                      # that copies.
                      def flat(self, x: Tensor) -> Tensor:
                        return torch.reshape(torch.detach(x), [-1])
                      def view(self, x: Tensor) -> Tensor:
                        return torch.view(torch.detach(x), [-1])
                      def put(self, bytes: Tensor, flat: Tensor, first: Tensor, type: Tensor) -> Tensor:
                        values = torch.view_copy(bytes, dtype=int(type))
                        target = torch.narrow(flat, 0, int(first), torch.len(values))
                        return torch.copy_(target, values)
                      # A write to no elements, which counts as a write.
                      def part(self, flat: Tensor, first: Tensor, count: Tensor) -> Tensor:
                        target = torch.narrow(flat, 0, int(first), int(count))
                        _0 = torch.zero_(torch.narrow(target, 0, 0, 0))
                        return target
                      def bytes(self, flat: Tensor, first: Tensor, count: Tensor, type: Tensor) -> Tensor:
                        values = torch.narrow(flat, 0, int(first), int(count))
                        return torch.view_copy(torch.contiguous(torch.cpu(torch.to(values, int(type)))), dtype=0)
                    """);

    /** Gives the bytes of a tensor, such as a range of a file. */
    @FunctionalInterface
    public interface BytesSource {
        /**
         * Reads the next bytes.
         *
         * @param firstByte where they begin, counted from the tensor's begin; may exceed 2 GiB
         * @param destination a direct little-endian buffer to fill from its position to its limit
         * @throws IOException if reading fails
         */
        void read(long firstByte, ByteBuffer destination) throws IOException;
    }

    /** Takes an array's bytes, in order. */
    @FunctionalInterface
    interface BytesSink {
        void accept(ByteBuffer bytes) throws IOException;
    }

    private final NDManager host;
    private ByteBuffer staging = ByteBuffer.allocateDirect(0);

    /**
     * Creates a transfer.
     *
     * @param parent a manager that lives as long
     */
    public ElementTransfer(NDManager parent) {
        host = parent.newSubManager(Device.cpu());
    }

    /**
     * Overwrites an array.
     *
     * @param array a contiguous floating-point array
     * @param stored the type of the bytes
     * @param source gives the bytes, in order; not called if the array is empty
     * @throws IOException if the source throws it, or does not fill its buffer
     */
    public void fill(NDArray array, ScalarType stored, BytesSource source) throws IOException {
        if (LITTLE_ENDIAN && !array.getDevice().isGpu() && ScalarType.of(array) == stored) {
            fillInPlace(array, stored, source);
        } else {
            convert(array, stored, source);
        }
    }

    /** Has the bytes written where they are to be. */
    private void fillInPlace(NDArray array, ScalarType stored, BytesSource source)
            throws IOException {
        long total = array.size();
        long most = IN_PLACE_BYTES / stored.bytes();
        try (GradMode off = GradMode.disabled();
                NDManager scope = host.newSubManager()) {
            NDArray flat = KERNELS.call(scope, "view", array);
            for (long first = 0; first < total; first += most) {
                NDArray count = scope.create(Math.min(most, total - first));
                NDArray part = KERNELS.call(scope, "part", flat, scope.create(first), count);
                ByteBuffer memory = part.toByteBuffer(true).order(ByteOrder.LITTLE_ENDIAN);
                source.read(first * stored.bytes(), memory);
                if (memory.hasRemaining()) {
                    throw endedEarly(array, stored, first * stored.bytes(), memory);
                }
            }
        }
    }

    private void convert(NDArray array, ScalarType stored, BytesSource source) throws IOException {
        long total = array.size();
        int width = stored.bytes();
        int chunkElements = CHUNK_BYTES / width;
        reserve((int) Math.min(chunkElements, total) * width);
        try (GradMode off = GradMode.disabled();
                NDManager scope = host.newSubManager()) {
            NDArray flat = KERNELS.call(scope, "view", array);
            NDArray type = scope.create(stored.code());
            for (long first = 0; first < total; first += chunkElements) {
                int length = (int) Math.min(chunkElements, total - first) * width;
                staging.clear().limit(length);
                source.read(first * width, staging);
                if (staging.hasRemaining()) {
                    throw endedEarly(array, stored, first * width, staging);
                }
                staging.flip();
                try (NDManager chunk = scope.newSubManager()) {
                    NDArray bytes = chunk.create(staging, new Shape(length), DataType.UINT8);
                    KERNELS.call(chunk, "put", bytes, flat, chunk.create(first), type);
                }
            }
        }
    }

    private void reserve(int bytes) {
        if (staging.capacity() < bytes) {
            staging = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    private static EOFException endedEarly(
            NDArray array, ScalarType stored, long firstByte, ByteBuffer destination) {
        return new EOFException(
                "expected "
                        + destination.limit()
                        + " bytes from byte "
                        + firstByte
                        + " of a "
                        + stored.name().toLowerCase(Locale.ROOT)
                        + " tensor "
                        + array.getShape()
                        + ", found "
                        + destination.position());
    }

    /**
     * Writes an array's elements, little-endian, row by row whatever its strides.
     *
     * @param array a floating-point array
     * @param stored the type of the bytes
     * @param channel takes the bytes
     * @throws IOException if the channel throws it
     */
    public void write(NDArray array, ScalarType stored, WritableByteChannel channel)
            throws IOException {
        forEach(
                array,
                stored,
                bytes -> {
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
    }

    void forEach(NDArray array, ScalarType stored, BytesSink sink) throws IOException {
        long total = array.size();
        int chunkElements = CHUNK_BYTES / stored.bytes();
        try (GradMode off = GradMode.disabled();
                NDManager scope = host.newSubManager()) {
            NDArray flat = KERNELS.call(scope, "flat", array);
            NDArray type = scope.create(stored.code());
            for (long first = 0; first < total; first += chunkElements) {
                long count = Math.min(chunkElements, total - first);
                try (NDManager chunk = scope.newSubManager()) {
                    NDArray from = chunk.create(first);
                    NDArray many = chunk.create(count);
                    NDArray bytes = KERNELS.call(chunk, "bytes", flat, from, many, type);
                    sink.accept(bytes.toByteBuffer().order(ByteOrder.LITTLE_ENDIAN));
                }
            }
        }
    }

    @Override
    public void close() {
        host.close();
    }
}
