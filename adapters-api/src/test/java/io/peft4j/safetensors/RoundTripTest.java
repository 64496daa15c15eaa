package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RoundTripTest {

    private static final String[] NAMES = {
        "",
        "a",
        "A",
        "model.layers.0.q_proj.weight",
        "Zürich",
        "東京",
        "🙂",
        "\uffee",
        "a\"b\\c",
        "\u0000\u001f\n\t\r\b\f\u007f",
        "\u2028",
        "</script>",
        "x".repeat(512)
    };

    @TempDir Path folder;

    @Test
    void randomMapsComeBackBitForBitAndWriteTheSameBytesAgain() throws IOException {
        for (int seed = 0; seed < 60; seed++) {
            Random random = new Random(seed);
            Map<String, TensorSource> sources = new LinkedHashMap<>();
            Map<String, byte[]> bytes = new LinkedHashMap<>();
            for (int i = random.nextInt(NAMES.length + 1); i > 0; i--) {
                String name = NAMES[random.nextInt(NAMES.length)];
                Dtype dtype = Dtype.values()[random.nextInt(Dtype.values().length)];
                long[] shape = random.longs(random.nextInt(4), 0, 5).toArray();
                int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
                byte[] data = new byte[count * dtype.bytes()];
                random.nextBytes(data);
                sources.put(name, TensorSources.ofBytes(dtype, ByteBuffer.wrap(data), shape));
                bytes.put(name, data);
            }
            Map<String, String> metadata =
                    random.nextBoolean() ? Map.of() : Map.of("format", "pt", "é\"", "\n🙂");
            Path first = folder.resolve("first.safetensors");
            Path second = folder.resolve("second.safetensors");

            SafetensorsWriter.write(first, sources, metadata);
            try (SafetensorsFile file = SafetensorsFile.open(first)) {
                assertThat(file.metadata()).isEqualTo(metadata);
                assertThat(file.names()).containsExactlyInAnyOrderElementsOf(sources.keySet());
                Map<String, TensorSource> copies = new LinkedHashMap<>();
                for (String name : file.names()) {
                    TensorInfo info = file.tensor(name);
                    assertThat(info.dtype()).isEqualTo(sources.get(name).dtype());
                    assertThat(info.shape()).isEqualTo(sources.get(name).shape());
                    ByteBuffer data = file.slice(info, 0, (int) info.byteCount());
                    assertThat(data.array()).isEqualTo(bytes.get(name));
                    copies.put(name, TensorSources.copyOf(file, info));
                }
                SafetensorsWriter.write(second, copies, metadata);
            }
            assertThat(second).hasSameBinaryContentAs(first);
        }
    }

    @Test
    void dataBeginsAtAMultipleOfEightAndEachTensorAtAMultipleOfItsElement() throws IOException {
        Map<String, TensorSource> sources = new LinkedHashMap<>();
        for (Dtype dtype : Dtype.values()) {
            sources.put(
                    "t" + dtype,
                    TensorSources.ofBytes(dtype, ByteBuffer.allocate(3 * dtype.bytes()), 3));
        }
        Path path = folder.resolve("aligned.safetensors");

        SafetensorsWriter.write(path, sources);

        long header =
                ByteBuffer.wrap(Files.readAllBytes(path))
                        .order(java.nio.ByteOrder.LITTLE_ENDIAN)
                        .getLong();
        assertThat(header % 8).isZero();
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (String name : file.names()) {
                TensorInfo info = file.tensor(name);
                assertThat(info.begin() % info.dtype().bytes()).as(name).isZero();
            }
            assertThat(file.names())
                    .containsExactly(
                            "tI64", "tF64", "tF32", "tI32", "tBF16", "tF16", "tI16", "tI8", "tU8",
                            "tBOOL");
        }
    }

    @Test
    void namesAreOrderedByTheirUtf8BytesAsTheReferenceDoes() throws IOException {
        Path path = folder.resolve("order.safetensors");
        Map<String, TensorSource> sources = new LinkedHashMap<>();
        for (String name : List.of("🙂", "\uffee", "b", "a", "Z")) {
            sources.put(name, TensorSources.ofFloats(Dtype.F32, new float[1]));
        }

        SafetensorsWriter.write(path, sources);

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names()).containsExactly("Z", "a", "b", "\uffee", "🙂");
        }
    }

    @Test
    void anEmptyFileIsTheReferencesSixteenBytes() throws IOException {
        Path path = folder.resolve("empty.safetensors");

        SafetensorsWriter.write(path, Map.of(), Map.of());

        assertThat(path)
                .hasBinaryContent(
                        new byte[] {
                            8, 0, 0, 0, 0, 0, 0, 0, '{', '}', ' ', ' ', ' ', ' ', ' ', ' '
                        });
    }

    @Test
    void floatsNarrowOnTheWayOutAndWidenOnTheWayIn() throws IOException {
        float[] values = {
            0f,
            -0f,
            1f,
            1.0009765625f,
            3.14159274f,
            65519f,
            1e-7f,
            Float.NEGATIVE_INFINITY,
            Float.NaN
        };
        Map<String, TensorSource> sources = new LinkedHashMap<>();
        for (Dtype dtype : new Dtype[] {Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16}) {
            sources.put(dtype.name(), TensorSources.ofFloats(dtype, values, 3, 3));
        }
        Path path = folder.resolve("floats.safetensors");

        SafetensorsWriter.write(path, sources);

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.toFloats("F64")).isEqualTo(values);
            assertThat(file.toFloats("F32")).isEqualTo(values);
            float[] half = file.toFloats("F16");
            float[] brain = file.toFloats("BF16");
            assertThat(half)
                    .isEqualTo(
                            new float[] {
                                0f,
                                -0f,
                                1f,
                                1.0009765625f,
                                3.140625f,
                                65504f,
                                0x1p-23f,
                                Float.NEGATIVE_INFINITY,
                                Float.NaN
                            });
            assertThat(brain)
                    .isEqualTo(
                            new float[] {
                                0f,
                                -0f,
                                1f,
                                1f,
                                3.140625f,
                                65536f,
                                1.0011717677116394e-07f,
                                Float.NEGATIVE_INFINITY,
                                Float.NaN
                            });
        }
    }

    @Test
    void integersKeepTheirExtremesAndRefuseWhatDoesNotFit() throws IOException {
        Map<String, TensorSource> sources = new LinkedHashMap<>();
        sources.put(
                "I64",
                TensorSources.ofLongs(Dtype.I64, new long[] {Long.MIN_VALUE, Long.MAX_VALUE}, 2));
        sources.put(
                "I32",
                TensorSources.ofLongs(
                        Dtype.I32, new long[] {Integer.MIN_VALUE, Integer.MAX_VALUE}, 2));
        sources.put("I16", TensorSources.ofLongs(Dtype.I16, new long[] {-32768, 32767}, 2));
        sources.put("I8", TensorSources.ofLongs(Dtype.I8, new long[] {-128, 127}, 2));
        sources.put("U8", TensorSources.ofLongs(Dtype.U8, new long[] {0, 255}, 2));
        sources.put("BOOL", TensorSources.ofLongs(Dtype.BOOL, new long[] {0, 1}, 2));
        Path path = folder.resolve("integers.safetensors");

        SafetensorsWriter.write(path, sources);

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.toLongs("I64")).containsExactly(Long.MIN_VALUE, Long.MAX_VALUE);
            assertThat(file.toLongs("I32")).containsExactly(Integer.MIN_VALUE, Integer.MAX_VALUE);
            assertThat(file.toLongs("I16")).containsExactly(-32768, 32767);
            assertThat(file.toLongs("I8")).containsExactly(-128, 127);
            assertThat(file.toLongs("U8")).containsExactly(0, 255);
            assertThat(file.toLongs("BOOL")).containsExactly(0, 1);
        }
        byte[] before = Files.readAllBytes(path);
        for (Dtype dtype : new Dtype[] {Dtype.I32, Dtype.I16, Dtype.I8, Dtype.U8, Dtype.BOOL}) {
            TensorSource tooLarge = TensorSources.ofLongs(dtype, new long[] {1L << 31}, 1);
            assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of("x", tooLarge)))
                    .isInstanceOf(ArithmeticException.class);
        }
        assertThat(path).hasBinaryContent(before);
    }

    @Test
    void chunksCoverATensorInOrderWhateverTheirSize() throws IOException {
        float[] values = new float[100_003];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 256;
        }
        Path path = folder.resolve("chunks.safetensors");
        SafetensorsWriter.write(
                path, Map.of("w", TensorSources.ofFloats(Dtype.BF16, values, values.length)));

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (int chunk : new int[] {1 << 20, 100_003, 70_000, 32_768, 4_099}) {
                float[] collected = new float[values.length];
                long[] next = {0};
                file.forEachFloatChunk(
                        file.tensor("w"),
                        chunk,
                        (first, part) -> {
                            assertThat(first).isEqualTo(next[0]);
                            assertThat(part.remaining()).isBetween(1, chunk);
                            next[0] += part.remaining();
                            part.get(collected, (int) first, part.remaining());
                        });
                assertThat(next[0]).isEqualTo(values.length);
                assertThat(collected).isEqualTo(values);
            }
            assertThat(file.toFloats("w")).isEqualTo(values);
            assertThatThrownBy(
                            () -> file.forEachFloatChunk(file.tensor("w"), 0, (first, part) -> {}))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aSourceThatLiesAboutItsSizeLeavesTheOldFile() throws IOException {
        Path path = folder.resolve("model.safetensors");
        SafetensorsWriter.write(
                path, Map.of("a", TensorSources.ofFloats(Dtype.F32, new float[2], 2)));
        byte[] before = Files.readAllBytes(path);
        TensorSource liar = new Source(Dtype.F32, List.of(3L), new byte[8]);

        assertThatThrownBy(() -> SafetensorsWriter.write(path, Map.of("a", liar)))
                .isInstanceOfSatisfying(
                        SafetensorsException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.WRONG_SOURCE))
                .hasMessageContaining("expected 12 bytes from its source, found 8");
        assertThat(path).hasBinaryContent(before);
    }

    @Test
    void whatTheReaderWouldRefuseIsNotWritten() {
        Path path = folder.resolve("bad.safetensors");
        TensorSource scalar = TensorSources.ofFloats(Dtype.F32, new float[1]);
        refused(path, Map.of("__metadata__", scalar), Reason.INVALID_NAME);
        refused(path, Map.of("x".repeat(513), scalar), Reason.INVALID_NAME);
        refused(path, Map.of("\ud800", scalar), Reason.INVALID_NAME);
        refused(
                path,
                Map.of("a", new Source(Dtype.F32, List.of(-1L), new byte[0])),
                Reason.INVALID_SHAPE);
        refused(
                path,
                Map.of("a", new Source(Dtype.F32, Collections.nCopies(65, 1L), new byte[4])),
                Reason.INVALID_SHAPE);
        refused(
                path,
                Map.of("a", new Source(Dtype.F32, List.of(1L << 62), new byte[0])),
                Reason.SIZE_OVERFLOW);
        assertThat(path).doesNotExist();
        assertThatThrownBy(() -> TensorSources.ofFloats(Dtype.F32, new float[3], 2))
                .hasMessage("expected a shape of 3 elements, found [2]");
        assertThatThrownBy(() -> TensorSources.ofFloats(Dtype.I32, new float[3], 3))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TensorSources.ofBytes(Dtype.F32, ByteBuffer.allocate(5), 1))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void metadataIsEscapedAsTheReferenceEscapesIt() throws IOException {
        Path path = folder.resolve("meta.safetensors");

        SafetensorsWriter.write(
                path, Map.of(), Map.of("k", "\"\\/\b\f\n\r\t\u0001\u001f\u007f\u2028é🙂"));

        assertThat(new String(Files.readAllBytes(path), StandardCharsets.UTF_8))
                .contains(
                        "{\"__metadata__\":{\"k\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u007f\u2028é🙂\"}}");
    }

    private static void refused(Path path, Map<String, TensorSource> tensors, Reason reason) {
        assertThatThrownBy(() -> SafetensorsWriter.write(path, tensors))
                .isInstanceOfSatisfying(
                        SafetensorsException.class, e -> assertThat(e.reason()).isEqualTo(reason));
    }

    private record Source(Dtype dtype, List<Long> shape, byte[] data) implements TensorSource {
        @Override
        public void writeTo(java.nio.channels.WritableByteChannel channel) throws IOException {
            channel.write(ByteBuffer.wrap(data));
        }
    }
}
