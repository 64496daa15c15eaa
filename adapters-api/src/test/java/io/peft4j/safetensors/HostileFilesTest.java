package io.peft4j.safetensors;

import static io.peft4j.safetensors.TestFiles.TWO_TENSORS;
import static io.peft4j.safetensors.TestFiles.file;
import static io.peft4j.safetensors.TestFiles.one;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Named.named;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every abuse is refused for its own reason, and only with a {@link SafetensorsException}. */
class HostileFilesTest {

    @TempDir Path folder;

    @ParameterizedTest(name = "{0}")
    @MethodSource("abuses")
    void isRefused(byte[] bytes, Reason reason) throws IOException {
        Path path = Files.write(folder.resolve("hostile.safetensors"), bytes);

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isInstanceOfSatisfying(
                        SafetensorsException.class,
                        e -> assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason))
                .hasMessageStartingWith(path + ": ");
    }

    static Stream<Arguments> abuses() {
        return Stream.of(beginnings(), json(), tensors(), numbers(), layout()).flatMap(s -> s);
    }

    private static Stream<Arguments> beginnings() {
        byte[] empty = {};
        return Stream.of(
                abuse("an empty file", empty, Reason.FILE_TOO_SHORT),
                abuse("seven bytes", new byte[7], Reason.FILE_TOO_SHORT),
                abuse("a length and nothing else", file(2, empty, 0), Reason.HEADER_BEYOND_FILE),
                abuse("a header of length zero", file(0, empty, 0), Reason.HEADER_START),
                abuse(
                        "a header of length zero before data",
                        file(0, empty, 9),
                        Reason.HEADER_START),
                abuse(
                        "a header one byte too long",
                        file(3, bytes("{}"), 0),
                        Reason.HEADER_BEYOND_FILE),
                abuse("a length of 2^64-1", file(-1, bytes("{}"), 0), Reason.HEADER_TOO_LARGE),
                abuse(
                        "a length of 2^63",
                        file(Long.MIN_VALUE, bytes("{}"), 0),
                        Reason.HEADER_TOO_LARGE),
                abuse(
                        "a length of 2^63-1",
                        file(Long.MAX_VALUE, bytes("{}"), 0),
                        Reason.HEADER_TOO_LARGE),
                abuse("a length of 2^32", file(1L << 32, bytes("{}"), 0), Reason.HEADER_TOO_LARGE),
                abuse(
                        "a length of 100,000,001",
                        file(100_000_001, bytes("{}"), 0),
                        Reason.HEADER_TOO_LARGE),
                abuse(
                        "a length of 100,000,000 in a small file",
                        file(100_000_000, bytes("{}"), 0),
                        Reason.HEADER_BEYOND_FILE),
                abuse("a header that is an array", file("[]", 0), Reason.HEADER_START),
                abuse("a header that is a string", file("\"x\"", 0), Reason.HEADER_START),
                abuse("a header that begins with a space", file(" {}", 0), Reason.HEADER_START),
                abuse(
                        "a header that begins with a byte order mark",
                        file("\ufeff{}", 0),
                        Reason.HEADER_START),
                abuse("a length in big-endian", bigEndian(), Reason.HEADER_TOO_LARGE));
    }

    private static Stream<Arguments> json() {
        return Stream.of(
                abuse("a header cut inside", file("{\"a\":", 0), Reason.INVALID_JSON),
                abuse("a header without its last brace", file("{", 0), Reason.INVALID_JSON),
                abuse("a trailing comma", file("{\"__metadata__\":{},}", 0), Reason.INVALID_JSON),
                abuse("a comment", file("{/*x*/}", 0), Reason.INVALID_JSON),
                abuse("single quotes", file("{'__metadata__':{}}", 0), Reason.INVALID_JSON),
                abuse("an unquoted name", file("{a:{}}", 0), Reason.INVALID_JSON),
                abuse("a second object after the first", file("{}{}", 0), Reason.INVALID_JSON),
                abuse("text after the object", file("{} x", 0), Reason.INVALID_JSON),
                abuse("a NUL after the object", file("{}\0", 0), Reason.INVALID_JSON),
                abuse("a line break inside a name", file("{\"a\nb\":{}}", 0), Reason.INVALID_JSON),
                abuse("an unknown escape", file("{\"\\q\":{}}", 0), Reason.INVALID_JSON),
                abuse("a cut unicode escape", file("{\"\\u00\":{}}", 0), Reason.INVALID_JSON),
                abuse(
                        "an equals sign for a colon",
                        file("{\"__metadata__\"={}}", 0),
                        Reason.INVALID_JSON),
                abuse(
                        "a bad byte in a name",
                        file(new byte[] {'{', '"', (byte) 0xff, '"', ':', '{', '}', '}'}, 0),
                        Reason.HEADER_NOT_UTF8),
                abuse(
                        "an overlong encoding",
                        file(
                                new byte[] {
                                    '{', '"', (byte) 0xc0, (byte) 0x80, '"', ':', '{', '}', '}'
                                },
                                0),
                        Reason.HEADER_NOT_UTF8),
                abuse(
                        "an encoded surrogate",
                        file(
                                new byte[] {
                                    '{',
                                    '"',
                                    (byte) 0xed,
                                    (byte) 0xa0,
                                    (byte) 0x80,
                                    '"',
                                    ':',
                                    '{',
                                    '}',
                                    '}'
                                },
                                0),
                        Reason.HEADER_NOT_UTF8),
                abuse(
                        "a bad byte in the padding",
                        file(new byte[] {'{', '}', ' ', (byte) 0x80}, 0),
                        Reason.HEADER_NOT_UTF8),
                abuse(
                        "an escaped unpaired surrogate in a name",
                        file("{\"\\ud800\":{}}", 0),
                        Reason.INVALID_NAME),
                abuse(
                        "an unpaired surrogate in the metadata",
                        file("{\"__metadata__\":{\"a\":\"\\udc00\"}}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "metadata that is a string",
                        file("{\"__metadata__\":\"pt\"}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "metadata that is null",
                        file("{\"__metadata__\":null}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "a number in the metadata",
                        file("{\"__metadata__\":{\"a\":1}}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "an object in the metadata",
                        file("{\"__metadata__\":{\"a\":{}}}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "a deep object in the metadata",
                        file("{\"__metadata__\":{\"a\":" + "[".repeat(100_000) + "}}", 0),
                        Reason.INVALID_METADATA),
                abuse(
                        "a metadata key twice",
                        file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0),
                        Reason.DUPLICATE_KEY),
                abuse(
                        "metadata twice",
                        file("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
                        Reason.DUPLICATE_KEY));
    }

    private static Stream<Arguments> tensors() {
        String a = "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
        String escaped = "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}";
        return Stream.of(
                abuse("a tensor that is null", file("{\"a\":null}", 0), Reason.INVALID_JSON),
                abuse("a tensor that is a list", file("{\"a\":[]}", 0), Reason.INVALID_JSON),
                abuse(
                        "a tensor nested a hundred thousand deep",
                        file("{\"a\":" + "{\"a\":".repeat(100_000), 0),
                        Reason.UNKNOWN_FIELD),
                abuse("a tensor twice", file("{" + a + "," + a + "}", 1), Reason.DUPLICATE_KEY),
                abuse(
                        "a tensor twice, once escaped",
                        file("{" + a + "," + escaped + "}", 2),
                        Reason.DUPLICATE_KEY),
                abuse(
                        "a dtype twice",
                        file("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0),
                        Reason.DUPLICATE_KEY),
                abuse(
                        "a shape twice",
                        file("{\"a\":{\"shape\":[1],\"shape\":[1]}}", 0),
                        Reason.DUPLICATE_KEY),
                abuse(
                        "offsets twice",
                        file("{\"a\":{\"data_offsets\":[0,1],\"data_offsets\":[0,1]}}", 1),
                        Reason.DUPLICATE_KEY),
                abuse(
                        "an unknown field",
                        file(
                                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}",
                                1),
                        Reason.UNKNOWN_FIELD),
                abuse(
                        "no dtype",
                        file("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
                        Reason.MISSING_FIELD),
                abuse(
                        "no shape",
                        file("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1),
                        Reason.MISSING_FIELD),
                abuse(
                        "no offsets",
                        file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1),
                        Reason.MISSING_FIELD),
                abuse("an empty tensor object", file("{\"a\":{}}", 0), Reason.MISSING_FIELD),
                abuse(
                        "an unknown dtype",
                        file(one("\"F8_E4M3\"", "[1]", "[0,1]"), 1),
                        Reason.UNKNOWN_DTYPE),
                abuse(
                        "a dtype in lower case",
                        file(one("\"f32\"", "[1]", "[0,4]"), 4),
                        Reason.UNKNOWN_DTYPE),
                abuse(
                        "a dtype that is a number",
                        file(one("32", "[1]", "[0,4]"), 4),
                        Reason.UNKNOWN_DTYPE),
                abuse(
                        "a dtype that is null",
                        file(one("null", "[1]", "[0,4]"), 4),
                        Reason.UNKNOWN_DTYPE),
                abuse(
                        "a name of 513 bytes",
                        file("{\"" + "x".repeat(513) + "\":{}}", 0),
                        Reason.INVALID_NAME),
                abuse(
                        "a name of 513 bytes in 171 characters",
                        file("{\"" + "東".repeat(171) + "\":{}}", 0),
                        Reason.INVALID_NAME),
                abuse(
                        "a name of ten million characters",
                        file("{\"" + "x".repeat(10_000_000) + "\":{}}", 0),
                        Reason.INVALID_NAME),
                abuse("100,001 tensors", file(tensorsNamed(100_001), 0), Reason.TOO_MANY_TENSORS));
    }

    private static Stream<Arguments> numbers() {
        return Stream.of(
                abuse(
                        "a shape that is a number",
                        file(one("\"U8\"", "1", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a shape that is null",
                        file(one("\"U8\"", "null", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a shape of strings",
                        file(one("\"U8\"", "[\"1\"]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a shape of lists",
                        file(one("\"U8\"", "[[1]]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a shape of booleans",
                        file(one("\"U8\"", "[true]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a negative size",
                        file(one("\"U8\"", "[-1]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "two negative sizes",
                        file(one("\"U8\"", "[-1,-1]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of minus zero",
                        file(one("\"U8\"", "[-0]", "[0,0]"), 0),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 1.5",
                        file(one("\"U8\"", "[1.5]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 1.0",
                        file(one("\"U8\"", "[1.0]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 1e0",
                        file(one("\"U8\"", "[1e0]", "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 1e3",
                        file(one("\"U8\"", "[1e3]", "[0,1000]"), 1000),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 2^63",
                        file(one("\"U8\"", "[9223372036854775808]", "[0,0]"), 0),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of 2^64",
                        file(one("\"U8\"", "[18446744073709551616]", "[0,0]"), 0),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of a thousand digits",
                        file(one("\"U8\"", "[" + "9".repeat(1000) + "]", "[0,0]"), 0),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a size of a million digits",
                        file(one("\"U8\"", "[" + "9".repeat(1_000_000) + "]", "[0,0]"), 0),
                        Reason.INVALID_JSON),
                abuse(
                        "a size with a leading zero",
                        file(one("\"U8\"", "[01]", "[0,1]"), 1),
                        Reason.INVALID_JSON),
                abuse(
                        "a size in hexadecimal",
                        file(one("\"U8\"", "[0x1]", "[0,1]"), 1),
                        Reason.INVALID_JSON),
                abuse(
                        "a size of NaN",
                        file(one("\"U8\"", "[NaN]", "[0,1]"), 1),
                        Reason.INVALID_JSON),
                abuse(
                        "sixty-five dimensions",
                        file(one("\"U8\"", Collections.nCopies(65, 1).toString(), "[0,1]"), 1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "a million dimensions",
                        file(
                                one(
                                        "\"U8\"",
                                        Collections.nCopies(1_000_000, 1).toString(),
                                        "[0,1]"),
                                1),
                        Reason.INVALID_SHAPE),
                abuse(
                        "sizes whose product is 2^64",
                        file(one("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0),
                        Reason.SIZE_OVERFLOW),
                abuse(
                        "sizes whose product times the element is 2^64",
                        file(one("\"F64\"", "[2305843009213693952]", "[0,0]"), 0),
                        Reason.SIZE_OVERFLOW),
                abuse(
                        "an overflow before a zero",
                        file(one("\"U8\"", "[4294967296,4294967296,0]", "[0,0]"), 0),
                        Reason.SIZE_OVERFLOW),
                abuse(
                        "no offsets in the list",
                        file(one("\"U8\"", "[0]", "[]"), 0),
                        Reason.INVALID_OFFSETS),
                abuse("one offset", file(one("\"U8\"", "[1]", "[0]"), 1), Reason.INVALID_OFFSETS),
                abuse(
                        "three offsets",
                        file(one("\"U8\"", "[1]", "[0,1,2]"), 2),
                        Reason.INVALID_OFFSETS),
                abuse(
                        "offsets in an object",
                        file(one("\"U8\"", "[1]", "{\"0\":1}"), 1),
                        Reason.INVALID_OFFSETS),
                abuse(
                        "a negative offset",
                        file(one("\"U8\"", "[1]", "[-1,0]"), 1),
                        Reason.INVALID_OFFSETS),
                abuse(
                        "an end before its begin",
                        file(one("\"U8\"", "[1]", "[1,0]"), 1),
                        Reason.INVALID_OFFSETS),
                abuse(
                        "an offset of 0.0",
                        file(one("\"U8\"", "[1]", "[0.0,1]"), 1),
                        Reason.INVALID_OFFSETS),
                abuse(
                        "an offset of 2^64",
                        file(one("\"U8\"", "[1]", "[0,18446744073709551616]"), 1),
                        Reason.INVALID_OFFSETS));
    }

    private static Stream<Arguments> layout() {
        return Stream.of(
                abuse(
                        "fewer bytes than the shape needs",
                        file(one("\"F32\"", "[2]", "[0,4]"), 4),
                        Reason.SIZE_MISMATCH),
                abuse(
                        "more bytes than the shape needs",
                        file(one("\"F32\"", "[2]", "[0,12]"), 12),
                        Reason.SIZE_MISMATCH),
                abuse(
                        "bytes for an empty tensor",
                        file(one("\"F32\"", "[0]", "[0,4]"), 4),
                        Reason.SIZE_MISMATCH),
                abuse(
                        "a scalar without bytes",
                        file(one("\"F32\"", "[]", "[0,0]"), 0),
                        Reason.SIZE_MISMATCH),
                abuse(
                        "a size that wraps round in 32 bits",
                        file(one("\"F32\"", "[1073741824]", "[0,0]"), 0),
                        Reason.SIZE_MISMATCH),
                abuse(
                        "a hole before the first tensor",
                        file(one("\"U8\"", "[1]", "[1,2]"), 2),
                        Reason.HOLE),
                abuse("a hole between two tensors", file(two("[0,1]", "[2,3]"), 3), Reason.HOLE),
                abuse(
                        "two tensors on the same bytes",
                        file(two("[0,1]", "[0,1]"), 1),
                        Reason.OVERLAP),
                abuse(
                        "two tensors that overlap in part",
                        file(two("[0,2]", "[1,3]", 2), 3),
                        Reason.OVERLAP),
                abuse(
                        "an empty tensor inside another",
                        file(
                                "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}",
                                2),
                        Reason.OVERLAP),
                abuse(
                        "a tensor beyond the end",
                        file(one("\"U8\"", "[9]", "[0,9]"), 8),
                        Reason.DATA_TRUNCATED),
                abuse(
                        "a tensor of 8 EiB",
                        file(one("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]"), 8),
                        Reason.DATA_TRUNCATED),
                abuse(
                        "one byte after the last tensor",
                        file(TWO_TENSORS, 21),
                        Reason.TRAILING_BYTES),
                abuse("data without tensors", file("{}", 1), Reason.TRAILING_BYTES),
                abuse(
                        "a second file appended",
                        twice(file(TWO_TENSORS, 20)),
                        Reason.TRAILING_BYTES));
    }

    @Test
    void aFileCutAtAnyByteIsRefused() throws IOException {
        byte[] whole = file(TWO_TENSORS, 20);
        Path path = folder.resolve("cut.safetensors");
        Files.write(path, whole);
        SafetensorsFile.open(path).close();

        for (int length = 0; length < whole.length; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> SafetensorsFile.open(path))
                    .as("cut to %d of %d", length, whole.length)
                    .isInstanceOf(SafetensorsException.class);
        }
    }

    @Test
    void thirtyThousandDamagedHeadersParseOrAreRefusedTyped() {
        Random random = new Random(42);
        byte[] valid = TWO_TENSORS.getBytes(StandardCharsets.UTF_8);
        byte[] alphabet = bytes("{}[]\",:0123456789-+.eE\\u aAbdnrtfx_/*\n\0\u00ff");
        int accepted = 0;
        for (int i = 0; i < 30_000; i++) {
            byte[] header = valid.clone();
            for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
                header[random.nextInt(header.length)] = alphabet[random.nextInt(alphabet.length)];
            }
            if (random.nextInt(4) == 0) {
                header = Arrays.copyOf(header, random.nextInt(header.length + 8));
            }
            try {
                HeaderParser.parse("fuzz", header, 20);
                accepted++;
            } catch (SafetensorsException e) {
                assertThat(e).hasMessageStartingWith("fuzz: ");
            }
        }
        assertThat(accepted).isBetween(1, 15_000);
    }

    @Test
    void aFileThatShrinksWhileOpenIsAnExceptionAndNoCrash() throws IOException {
        Path path = Files.write(folder.resolve("shrinks.safetensors"), file(TWO_TENSORS, 20));
        try (SafetensorsFile file = SafetensorsFile.open(path);
                FileChannel other = FileChannel.open(path, StandardOpenOption.WRITE)) {
            other.truncate(other.size() - 15);

            assertThatThrownBy(() -> file.toFloats("b"))
                    .isInstanceOfSatisfying(
                            SafetensorsException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.DATA_TRUNCATED))
                    .hasMessageContaining("become shorter");
        }
    }

    @Test
    void aDirectoryIsNoFile() {
        assertThatThrownBy(() -> SafetensorsFile.open(folder))
                .isInstanceOfSatisfying(
                        SafetensorsException.class,
                        e -> assertThat(e.reason()).isEqualTo(Reason.NOT_A_FILE));
    }

    @Test
    void theLimitsThemselvesAreAccepted() throws IOException {
        String longest = "x".repeat(512);
        open(
                file(
                        "{\""
                                + longest
                                + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                        0));
        open(file(one("\"U8\"", Collections.nCopies(64, 1).toString(), "[0,1]"), 1));
        open(file(tensorsNamed(100_000), 0));
        open(file("{}", 0));
        open(file("{}   \n\t ", 0));
        open(file("{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1));
    }

    @Test
    void anErrorSaysWhereAndWhatWasExpectedAndFound() throws IOException {
        Path path =
                Files.write(
                        folder.resolve("x.safetensors"), file(one("\"F32\"", "[2]", "[0,4]"), 4));

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .hasMessage(
                        path
                                + ": tensor \"a\": expected 8 bytes for F32 [2], found data_offsets"
                                + " [0, 4], which is 4");
    }

    @Test
    void requestsThatDoNotFitTheTensorAreRefused() throws IOException {
        Path path = Files.write(folder.resolve("ok.safetensors"), file(TWO_TENSORS, 20));
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            TensorInfo a = file.tensor("a");
            TensorInfo forged = new TensorInfo("a", Dtype.F32, a.shape(), 0, 1000);

            assertThatThrownBy(() -> file.tensor("A1")).hasMessageContaining("nearest: a");
            assertThatThrownBy(() -> file.toLongs("a")).hasMessageContaining("an integer tensor");
            assertThatThrownBy(() -> file.slice(a, 1, 8))
                    .hasMessageContaining("within its 8 bytes");
            assertThatThrownBy(() -> file.slice(a, -1, 1))
                    .hasMessageContaining("within its 8 bytes");
            assertThatThrownBy(() -> file.slice(a, Long.MAX_VALUE, 1))
                    .hasMessageContaining("within");
            assertThatThrownBy(() -> file.read(forged, 0, ByteBuffer.allocate(900)))
                    .hasMessageContaining("tensor of this file");
            assertThatCode(() -> file.slice(a, 8, 0)).doesNotThrowAnyException();
        }
    }

    private void open(byte[] bytes) throws IOException {
        SafetensorsFile.open(Files.write(folder.resolve("fine.safetensors"), bytes)).close();
    }

    private static Arguments abuse(String name, byte[] bytes, Reason reason) {
        return arguments(named(name, bytes), reason);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bigEndian() {
        byte[] bytes = file("{}", 0);
        bytes[7] = bytes[0];
        bytes[0] = 0;
        return bytes;
    }

    private static byte[] twice(byte[] bytes) {
        byte[] both = Arrays.copyOf(bytes, 2 * bytes.length);
        System.arraycopy(bytes, 0, both, bytes.length, bytes.length);
        return both;
    }

    private static String two(String first, String second) {
        return two(first, second, 1);
    }

    private static String two(String first, String second, int size) {
        String shape = "\"dtype\":\"U8\",\"shape\":[" + size + "],\"data_offsets\":";
        return "{\"a\":{" + shape + first + "},\"b\":{" + shape + second + "}}";
    }

    private static String tensorsNamed(int count) {
        return IntStream.range(0, count)
                .mapToObj(
                        i ->
                                "\""
                                        + i
                                        + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}")
                .collect(Collectors.joining(",", "{", "}"));
    }
}
