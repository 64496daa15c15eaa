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

/**
 * Moves the raw bits of bfloat16 arrays into and out of Java. Java's buffers and DJL's calls end at
 * 2 GiB, arrays do not: the bits travel in pieces.
 */
final class BFloat16Bits {

    static final int CHUNK_ELEMENTS = 1 << 21;

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      # Types: 0 is uint8, 15 bfloat16. A text cannot reach the view of another
                      # type, only the view that copies.
                      def flat(self, x: Tensor) -> Tensor:
                        return torch.view(torch.contiguous(torch.detach(x)), [-1])
                      def put(self, bytes: Tensor, flat: Tensor, first: Tensor) -> Tensor:
                        values = torch.view_copy(bytes, dtype=15)
                        target = torch.narrow(flat, 0, int(first), torch.len(values))
                        return torch.copy_(target, values)
                      def bytes(self, flat: Tensor, first: Tensor, count: Tensor) -> Tensor:
                        values = torch.narrow(flat, 0, int(first), int(count))
                        return torch.view_copy(values, dtype=0)
                    """);

    /** Takes a tensor's bytes, in order. */
    @FunctionalInterface
    interface BytesSink {
        void accept(ByteBuffer bytes) throws IOException;
    }

    private BFloat16Bits() {}

    /** Overwrites a contiguous array. */
    static void fill(NDArray array, BFloat16.BytesSource source) throws IOException {
        long total = array.size();
        try (NDManager scope = array.getManager().newSubManager(Device.cpu())) {
            NDArray flat = KERNELS.call(scope, "flat", array);
            int capacity = Short.BYTES * (int) Math.min(CHUNK_ELEMENTS, total);
            ByteBuffer staging = scope.allocateDirect(capacity).order(ByteOrder.LITTLE_ENDIAN);
            for (long first = 0; first < total; first += CHUNK_ELEMENTS) {
                int length = Short.BYTES * (int) Math.min(CHUNK_ELEMENTS, total - first);
                staging.clear().limit(length);
                source.read(Short.BYTES * first, staging);
                if (staging.hasRemaining()) {
                    throw new EOFException(
                            "expected "
                                    + length
                                    + " bytes from byte "
                                    + Short.BYTES * first
                                    + " of a bfloat16 tensor "
                                    + array.getShape()
                                    + ", found "
                                    + staging.position());
                }
                staging.flip();
                try (NDManager chunk = scope.newSubManager()) {
                    NDArray bytes = chunk.create(staging, new Shape(length), DataType.UINT8);
                    KERNELS.call(chunk, "put", bytes, flat, chunk.create(first));
                }
            }
        }
    }

    /** Gives out an array's bytes, little-endian, in row order whatever its strides. */
    static void forEach(NDArray array, BytesSink sink) throws IOException {
        long total = array.size();
        try (NDManager scope = array.getManager().newSubManager()) {
            NDArray flat = KERNELS.call(scope, "flat", array);
            for (long first = 0; first < total; first += CHUNK_ELEMENTS) {
                long count = Math.min(CHUNK_ELEMENTS, total - first);
                try (NDManager chunk = scope.newSubManager()) {
                    NDArray from = chunk.create(first);
                    NDArray bytes = KERNELS.call(chunk, "bytes", flat, from, chunk.create(count));
                    sink.accept(bytes.toByteBuffer().order(ByteOrder.LITTLE_ENDIAN));
                }
            }
        }
    }
}
