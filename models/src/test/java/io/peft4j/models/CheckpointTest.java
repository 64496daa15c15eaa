package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsException;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.ElementTransfer;
import io.peft4j.torch.ScalarType;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckpointTest {

    @TempDir private Path directory;

    /** A tensor whose elements are their numbers. */
    private record Counting(List<Long> shape) implements TensorSource {

        @Override
        public Dtype dtype() {
            return Dtype.F32;
        }

        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            float[] values = new float[(int) TensorSource.elementCount(shape)];
            for (int i = 0; i < values.length; i++) {
                values[i] = i;
            }
            TensorSources.ofFloats(Dtype.F32, values, values.length).writeTo(channel);
        }
    }

    @Test
    void aFusedTensorIsCutAtItsParametersWhereverItsPiecesEnd() throws IOException {
        Path file = directory.resolve("model.safetensors");
        long[] rows = {700, 30, 900, 1}; // more than one piece, within one, across two
        StoredTensor tensor = StoredTensor.of(List.of("a", "b", "c", "d"), 1, 1631, 1000);
        SafetensorsWriter.write(
                file, Map.of("all", new Counting(List.of(1L, 1631L, 1000L))), Map.of());
        try (SafetensorsFile reader = SafetensorsFile.open(file);
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            Map<String, NDArray> targets = new LinkedHashMap<>();
            for (int i = 0; i < rows.length; i++) {
                targets.put(tensor.parameters().get(i), manager.zeros(new Shape(rows[i], 1000)));
            }
            Checkpoint.copy(reader, Map.of("all", tensor), targets, manager);
            int next = 0;
            for (NDArray target : targets.values()) {
                for (float value : target.toFloatArray()) {
                    assertThat(value).isEqualTo(next++);
                }
            }
        }
    }

    /** Numbers of all exponents, with what lies between two neighbours in 16 bits and ties. */
    private static float[] numbers() {
        Random random = new Random(9);
        float[] numbers = new float[60_000];
        for (int i = 0; i < numbers.length; i++) {
            int bits = random.nextInt();
            if (i % 3 == 0) {
                bits = (bits & 0xffff0000) | 0x8000; // halfway between two of bfloat16
            } else if (i % 3 == 1) {
                bits = (bits & 0xc7ffe000) | 0x38001000; // and of float16, where it is normal
            }
            float number = Float.intBitsToFloat(bits);
            numbers[i] = Float.isNaN(number) ? Float.POSITIVE_INFINITY : number;
        }
        return numbers;
    }

    @ParameterizedTest
    @CsvSource({
        "F32,BF16",
        "F32,F16",
        "F16,F32",
        "F16,BF16",
        "BF16,F32",
        "BF16,F16",
        "F64,F32",
        "BF16,BF16"
    })
    void elementsAreConvertedOnTheWayAsTheFormatsDo(Dtype stored, Dtype type) throws IOException {
        float[] numbers = numbers();
        Path file = directory.resolve("model.safetensors");
        SafetensorsWriter.write(
                file, Map.of("all", TensorSources.ofFloats(stored, numbers, numbers.length)));
        Path written = directory.resolve("written.safetensors");
        try (SafetensorsFile reader = SafetensorsFile.open(file);
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            Shape shape = new Shape(numbers.length);
            NDArray target = Tensors.empty(manager, shape, WeightTypes.of(type));
            Checkpoint.copy(
                    reader,
                    Map.of("all", StoredTensor.of(List.of("p"), numbers.length)),
                    Map.of("p", target),
                    manager);
            // what is in the file, rounded in Java
            SafetensorsWriter.write(
                    written,
                    Map.of(
                            "all",
                            TensorSources.ofFloats(type, reader.toFloats("all"), shape.size())));
            try (SafetensorsFile expected = SafetensorsFile.open(written)) {
                assertThat(Tensors.toFloats(target)).isEqualTo(expected.toFloats("all"));
            }
        }
    }

    @Test
    void aTensorBeyondTwoGibibytesIsReadAndWrittenToItsEnd() throws IOException {
        long rows = (1L << 31) / Double.BYTES / 1024 + 100;
        Path file = directory.resolve("large.safetensors");
        String header =
                String.format(
                        Locale.ROOT,
                        "{\"all\":{\"dtype\":\"F64\",\"shape\":[%d,1024],\"data_offsets\":[0,%d]}}",
                        rows + 2,
                        (rows + 2) * 1024 * Double.BYTES);
        ByteBuffer head = ByteBuffer.allocate(8 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
        head.putLong(header.length()).put(header.getBytes(StandardCharsets.US_ASCII)).flip();
        ByteBuffer marks = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        marks.putDouble(-1.5).putDouble(0.25).flip();
        try (FileChannel channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.SPARSE)) {
            channel.write(head, 0);
            long end = 8 + header.length() + (rows + 2) * 1024 * Double.BYTES;
            channel.write(marks.slice(8, 8), end - 8);
            channel.write(marks.slice(0, 8), end - 8 - 2 * 1024 * Double.BYTES);
        }
        StoredTensor tensor = StoredTensor.of(List.of("large", "small"), rows + 2, 1024);
        try (SafetensorsFile reader = SafetensorsFile.open(file);
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            NDArray large = Tensors.zeros(manager, new Shape(rows, 1024), ScalarType.BFLOAT16);
            NDArray small = Tensors.zeros(manager, new Shape(2, 1024), ScalarType.FLOAT32);
            Map<String, NDArray> targets = Map.of("large", large, "small", small);
            Checkpoint.copy(reader, Map.of("all", tensor), targets, manager);
            assertThat(Tensors.toFloats(large.get(rows - 1))).endsWith(0, -1.5f);
            assertThat(Tensors.toFloats(small)).endsWith(0, 0.25f);
            Counted counted = new Counted();
            try (ElementTransfer transfer = new ElementTransfer(manager)) {
                transfer.write(large, ScalarType.FLOAT64, counted);
            }
            assertThat(counted.bytes).isEqualTo(rows * 1024 * Double.BYTES);
            assertThat(counted.last).isEqualTo(-1.5);
        }
    }

    /** Takes bytes and keeps the last number. */
    private static final class Counted implements WritableByteChannel {
        private long bytes;
        private double last;

        @Override
        public int write(ByteBuffer source) {
            int count = source.remaining();
            bytes += count;
            last = source.order(ByteOrder.LITTLE_ENDIAN).getDouble(source.limit() - Double.BYTES);
            source.position(source.limit());
            return count;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }

    @Test
    void aFileThatIsCutWhileItIsReadIsAnErrorNotTheEnd() throws IOException {
        Path file = directory.resolve("model.safetensors");
        SafetensorsWriter.write(file, Map.of("all", new Counting(List.of(2000L, 1000L))));
        try (SafetensorsFile reader = SafetensorsFile.open(file);
                NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(3_000_000);
            }
            NDArray target = manager.zeros(new Shape(2000, 1000));
            assertThatThrownBy(
                            () ->
                                    Checkpoint.copy(
                                            reader,
                                            Map.of(
                                                    "all",
                                                    StoredTensor.of(List.of("p"), 2000, 1000)),
                                            Map.of("p", target),
                                            manager))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("the file has become shorter");
        }
    }

    @Test
    void aDirectoryOfPicklesSaysHowToConvertThem() throws IOException {
        Files.copy(
                TestData.path("golden/llama3/model/config.json"), directory.resolve("config.json"));
        Files.write(
                directory.resolve("pytorch_model-00001-of-00002.bin"), new byte[] {'P', 'K', 3, 4});
        assertThatThrownBy(() -> CausalLm.load(directory, Device.cpu(), Dtype.BF16))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageContaining("pytorch_model-00001-of-00002.bin")
                .hasMessageContaining("save_file");
    }
}
