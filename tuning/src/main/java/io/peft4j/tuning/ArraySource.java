package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.util.Preconditions;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.stream.LongStream;

/**
 * A float32 array that is copied out of the engine when it is written, so that a model's checkpoint
 * needs the memory of its largest tensor only.
 */
record ArraySource(NDArray array) implements TensorSource {

    ArraySource {
        Preconditions.checkArgument(
                ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN,
                "expected a little-endian machine, whose bytes are the file's");
    }

    @Override
    public Dtype dtype() {
        return Dtype.F32;
    }

    @Override
    public List<Long> shape() {
        return LongStream.of(array.getShape().getShape()).boxed().toList();
    }

    @Override
    public void writeTo(WritableByteChannel channel) throws IOException {
        ByteBuffer bytes = array.toByteBuffer();
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
