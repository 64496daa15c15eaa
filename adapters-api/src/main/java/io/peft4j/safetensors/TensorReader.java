package io.peft4j.safetensors;

import io.peft4j.safetensors.SafetensorsException.Reason;
import io.peft4j.text.NearestNames;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Named tensors in one file or in many: {@link SafetensorsFile}, {@link ShardedSafetensors}.
 *
 * <p>Nothing is kept in memory but the headers; every call reads from the disk. Readers may be used
 * by several threads at once.
 */
public interface TensorReader extends AutoCloseable {

    /** Takes a tensor piece by piece. */
    @FunctionalInterface
    interface FloatChunkConsumer {
        /**
         * Takes the next elements.
         *
         * @param firstElement the index of the first one in the flat tensor
         * @param values the elements; the buffer is used again after the call
         * @throws IOException if the consumer cannot store them
         */
        void accept(long firstElement, FloatBuffer values) throws IOException;
    }

    /**
     * Returns where the tensors come from.
     *
     * @return the file, or the directory of a sharded checkpoint
     */
    Path path();

    /**
     * Returns the names of the tensors.
     *
     * @return names in the order of the file (of the shards, by name)
     */
    List<String> names();

    /**
     * Returns the strings of {@code __metadata__}.
     *
     * @return an unmodifiable map; for a sharded checkpoint, of the first shard
     */
    Map<String, String> metadata();

    /**
     * Looks a tensor up.
     *
     * @param name the tensor's name
     * @return its description, or null if there is none of that name
     */
    @Nullable TensorInfo find(String name);

    /**
     * Reads raw little-endian bytes of a tensor.
     *
     * @param tensor one of this reader's tensors
     * @param offset the first byte to read, counted from the tensor's begin; may exceed 2 GiB
     * @param destination filled from its position to its limit
     * @throws SafetensorsException if the range exceeds the tensor, or the file has shrunk
     * @throws IOException if reading fails
     */
    void read(TensorInfo tensor, long offset, ByteBuffer destination) throws IOException;

    @Override
    void close() throws IOException;

    /**
     * Tells whether a tensor is there.
     *
     * @param name the tensor's name
     * @return true if it is
     */
    default boolean contains(String name) {
        return find(name) != null;
    }

    /**
     * Returns a tensor's description.
     *
     * @param name the tensor's name
     * @return its description
     * @throws SafetensorsException if there is none; the message lists the nearest names
     */
    default TensorInfo tensor(String name) throws SafetensorsException {
        TensorInfo tensor = find(name);
        if (tensor == null) {
            throw new SafetensorsException(
                    Reason.TENSOR_NOT_FOUND,
                    path(),
                    "expected a tensor \""
                            + name
                            + "\", found none"
                            + NearestNames.hint(name, names()));
        }
        return tensor;
    }

    /**
     * Reads raw bytes of a tensor into a new buffer.
     *
     * @param tensor one of this reader's tensors
     * @param offset the first byte to read, counted from the tensor's begin
     * @param length how many bytes to read
     * @return a little-endian buffer over them, position 0
     * @throws IOException as {@link #read}
     */
    default ByteBuffer slice(TensorInfo tensor, long offset, int length) throws IOException {
        TensorData.checkRange(path(), tensor, offset, length);
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        read(tensor, offset, bytes);
        return bytes.flip();
    }

    /**
     * Reads a floating-point tensor as float32: F16 and BF16 exactly, F64 rounded.
     *
     * @param name the tensor's name
     * @return its elements, row by row
     * @throws SafetensorsException if it is missing, an integer tensor, or too large for one array
     * @throws IOException if reading fails
     */
    default float[] toFloats(String name) throws IOException {
        return TensorData.floats(this, tensor(name));
    }

    /**
     * Reads an integer tensor or a BOOL tensor (0 and 1) as longs.
     *
     * @param name the tensor's name
     * @return its elements, row by row
     * @throws SafetensorsException if it is missing, a float tensor, or too large for one array
     * @throws IOException if reading fails
     */
    default long[] toLongs(String name) throws IOException {
        return TensorData.longs(this, tensor(name));
    }

    /**
     * Streams a floating-point tensor of any size as float32.
     *
     * @param tensor one of this reader's tensors
     * @param chunkElements the largest number of elements per call, 1 to 2^26
     * @param consumer takes the chunks in order; not called for an empty tensor
     * @throws SafetensorsException if it is not a floating-point tensor
     * @throws IOException if reading fails or the consumer throws
     */
    default void forEachFloatChunk(
            TensorInfo tensor, int chunkElements, FloatChunkConsumer consumer) throws IOException {
        TensorData.forEachFloatChunk(this, tensor, chunkElements, consumer);
    }
}
