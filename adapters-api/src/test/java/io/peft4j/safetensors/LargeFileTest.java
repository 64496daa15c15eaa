package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sparse file of 12 GB, which is many times the heap of the tests. */
class LargeFileTest {

    private static final long BIG = 3_000_000_000L;

    @TempDir Path folder;

    @Test
    void tensorsBeyondTwoGibibytesAreReadPieceByPieceAndTheLastOneWhole() throws IOException {
        Path path = folder.resolve("large.safetensors");
        String header =
                "{\"big\":{\"dtype\":\"F32\",\"shape\":[3,1000000000],\"data_offsets\":[0,12000000000]},"
                        + "\"last\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12000000000,12000000008]}}";
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        try (FileChannel channel =
                FileChannel.open(
                        path,
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.SPARSE)) {
            channel.write(ByteBuffer.wrap(TestFiles.file(json, 0)));
            ByteBuffer end = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
            end.putFloat(7f).putFloat(1.5f).putFloat(-2f).flip();
            channel.write(end, 8 + json.length + 4 * BIG - 4);
        }

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            TensorInfo big = file.tensor("big");
            assertThat(file.toFloats("last")).containsExactly(1.5f, -2f);
            assertThat(big.elementCount()).isEqualTo(BIG);
            assertThat(file.slice(big, 4 * BIG - 8, 8).getLong() >>> 32)
                    .isEqualTo(Float.floatToRawIntBits(7f));
            assertThatThrownBy(() -> file.toFloats("big"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("for one array");
            assertThatThrownBy(() -> file.slice(big, 4 * BIG - 7, 8))
                    .isInstanceOf(SafetensorsException.class);
        }
    }
}
