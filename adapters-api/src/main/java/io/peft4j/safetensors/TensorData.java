package io.peft4j.safetensors;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;

/** Decodes whole tensors through a buffer of bounded size. */
final class TensorData {

    private static final int BUFFER_ELEMENTS = 1 << 15;
    private static final int MAX_CHUNK = 1 << 26;
    private static final int MAX_ARRAY = Integer.MAX_VALUE - 8;

    private TensorData() {}

    static float[] floats(TensorReader reader, TensorInfo tensor) throws IOException {
        requireFloat(reader.path(), tensor);
        float[] values = new float[arrayLength(reader.path(), tensor)];
        ByteBuffer bytes = buffer(tensor, BUFFER_ELEMENTS);
        for (int at = 0; at < values.length; at += BUFFER_ELEMENTS) {
            int count = Math.min(BUFFER_ELEMENTS, values.length - at);
            fill(reader, tensor, at, count, bytes);
            ElementCodec.decodeFloats(tensor.dtype(), bytes, values, at, count);
        }
        return values;
    }

    static long[] longs(TensorReader reader, TensorInfo tensor) throws IOException {
        if (tensor.dtype().isFloat()) {
            throw wrong(reader.path(), tensor, "an integer tensor");
        }
        long[] values = new long[arrayLength(reader.path(), tensor)];
        ByteBuffer bytes = buffer(tensor, BUFFER_ELEMENTS);
        for (int at = 0; at < values.length; at += BUFFER_ELEMENTS) {
            int count = Math.min(BUFFER_ELEMENTS, values.length - at);
            fill(reader, tensor, at, count, bytes);
            ElementCodec.decodeLongs(tensor.dtype(), bytes, values, at, count);
        }
        return values;
    }

    static void forEachFloatChunk(
            TensorReader reader,
            TensorInfo tensor,
            int chunkElements,
            TensorReader.FloatChunkConsumer consumer)
            throws IOException {
        if (chunkElements < 1 || chunkElements > MAX_CHUNK) {
            throw new IllegalArgumentException(
                    "expected a chunk of 1 to " + MAX_CHUNK + " elements, found " + chunkElements);
        }
        requireFloat(reader.path(), tensor);
        long total = tensor.elementCount();
        float[] values = new float[(int) Math.min(total, chunkElements)];
        ByteBuffer bytes = buffer(tensor, BUFFER_ELEMENTS);
        for (long at = 0; at < total; at += values.length) {
            int count = (int) Math.min(values.length, total - at);
            for (int done = 0; done < count; done += BUFFER_ELEMENTS) {
                int part = Math.min(BUFFER_ELEMENTS, count - done);
                fill(reader, tensor, at + done, part, bytes);
                ElementCodec.decodeFloats(tensor.dtype(), bytes, values, done, part);
            }
            consumer.accept(at, FloatBuffer.wrap(values, 0, count).slice());
        }
    }

    static void checkRange(Path path, TensorInfo tensor, long offset, long length)
            throws SafetensorsException {
        if (offset < 0 || length < 0 || offset > tensor.byteCount() - length) {
            throw new SafetensorsException(
                    Reason.WRONG_REQUEST,
                    path,
                    "tensor \""
                            + tensor.name()
                            + "\": expected a range within its "
                            + tensor.byteCount()
                            + " bytes, found "
                            + length
                            + " from "
                            + offset);
        }
    }

    private static ByteBuffer buffer(TensorInfo tensor, int elements) {
        int count = (int) Math.min(tensor.elementCount(), elements);
        return ByteBuffer.allocate(count * tensor.dtype().bytes()).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void fill(
            TensorReader reader, TensorInfo tensor, long element, int count, ByteBuffer bytes)
            throws IOException {
        int size = tensor.dtype().bytes();
        bytes.clear().limit(count * size);
        reader.read(tensor, element * size, bytes);
        bytes.flip();
    }

    private static void requireFloat(Path path, TensorInfo tensor) throws SafetensorsException {
        if (!tensor.dtype().isFloat()) {
            throw wrong(path, tensor, "a floating-point tensor");
        }
    }

    private static int arrayLength(Path path, TensorInfo tensor) throws SafetensorsException {
        if (tensor.elementCount() > MAX_ARRAY) {
            throw wrong(path, tensor, "at most " + MAX_ARRAY + " elements for one array");
        }
        return (int) tensor.elementCount();
    }

    private static SafetensorsException wrong(Path path, TensorInfo tensor, String expected) {
        return new SafetensorsException(
                Reason.WRONG_REQUEST,
                path,
                "tensor \""
                        + tensor.name()
                        + "\": expected "
                        + expected
                        + ", found "
                        + tensor.dtype()
                        + " "
                        + tensor.shape());
    }
}
