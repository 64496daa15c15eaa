package io.peft4j.safetensors;

import io.peft4j.files.AtomicFiles;
import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes safetensors files, byte for byte as the reference implementation does: tensors ordered by
 * type (the last of {@link Dtype} first), then by name; the header padded with spaces to a multiple
 * of 8 bytes. The file appears whole or not at all ({@link AtomicFiles}).
 */
public final class SafetensorsWriter {

    /** The metadata that Hugging Face's libraries write and expect. */
    public static final Map<String, String> PYTORCH = Map.of("format", "pt");

    private static final Comparator<Entry> ORDER =
            Comparator.comparing((Entry entry) -> entry.source.dtype())
                    .reversed()
                    .thenComparing(Entry::utf8, Arrays::compareUnsigned);

    private SafetensorsWriter() {}

    /**
     * Writes a file with the metadata {@code {"format": "pt"}}.
     *
     * @param path the file to create or replace
     * @param tensors names and tensors, in any order
     * @throws SafetensorsException if a name, or a source's shape or bytes, break the format
     * @throws IOException if writing fails; the old file is then still there
     */
    public static void write(Path path, Map<String, ? extends TensorSource> tensors)
            throws IOException {
        write(path, tensors, PYTORCH);
    }

    /**
     * Writes a file.
     *
     * @param path the file to create or replace
     * @param tensors names and tensors, in any order
     * @param metadata strings for {@code __metadata__}, written in the order of their keys; none if
     *     empty
     * @throws SafetensorsException if a name, or a source's shape or bytes, break the format
     * @throws IOException if writing fails; the old file is then still there
     */
    public static void write(
            Path path, Map<String, ? extends TensorSource> tensors, Map<String, String> metadata)
            throws IOException {
        AtomicFiles.write(path, writer(path, tensors, metadata));
    }

    /**
     * Prepares a file for {@link AtomicFiles#writeTogether}.
     *
     * @param path what to call the file in messages
     * @param tensors names and tensors, in any order
     * @param metadata strings for {@code __metadata__}
     * @return writes the file's content when called
     * @throws SafetensorsException if a name or a source's shape breaks the format
     */
    public static AtomicFiles.ChannelWriter writer(
            Path path, Map<String, ? extends TensorSource> tensors, Map<String, String> metadata)
            throws SafetensorsException {
        List<Entry> entries = entries(path, tensors);
        byte[] header = header(path, entries, metadata);
        return channel -> {
            CountingChannel out = new CountingChannel(channel);
            out.write(
                    ByteBuffer.allocate(8)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(header.length)
                            .flip());
            out.write(ByteBuffer.wrap(header));
            for (Entry entry : entries) {
                long before = out.count;
                entry.source.writeTo(out);
                long written = out.count - before;
                if (written != entry.bytes) {
                    throw new SafetensorsException(
                            Reason.WRONG_SOURCE,
                            path,
                            entry.describe()
                                    + ": expected "
                                    + entry.bytes
                                    + " bytes from its source, found "
                                    + written);
                }
            }
        };
    }

    private static List<Entry> entries(Path path, Map<String, ? extends TensorSource> tensors)
            throws SafetensorsException {
        if (tensors.size() > Header.MAX_TENSORS) {
            throw new SafetensorsException(
                    Reason.TOO_MANY_TENSORS,
                    path,
                    "expected at most " + Header.MAX_TENSORS + " tensors, found " + tensors.size());
        }
        List<Entry> entries = new ArrayList<>();
        for (Map.Entry<String, ? extends TensorSource> tensor : tensors.entrySet()) {
            String name = tensor.getKey();
            String problem = Header.nameProblem(name);
            if (problem != null) {
                throw new SafetensorsException(
                        Reason.INVALID_NAME, path, "expected a tensor's name, found " + problem);
            }
            TensorSource source = tensor.getValue();
            List<Long> shape = source.shape();
            if (shape.size() > Header.MAX_DIMENSIONS || shape.stream().anyMatch(n -> n < 0)) {
                throw new SafetensorsException(
                        Reason.INVALID_SHAPE,
                        path,
                        "tensor \""
                                + name
                                + "\": expected at most 64 sizes from 0, found "
                                + shape);
            }
            Long bytes = Header.byteCount(source.dtype(), shape);
            if (bytes == null) {
                throw new SafetensorsException(
                        Reason.SIZE_OVERFLOW,
                        path,
                        "tensor \"" + name + "\": expected fewer than 2^63 bytes, found " + shape);
            }
            entries.add(new Entry(name, name.getBytes(StandardCharsets.UTF_8), source, bytes));
        }
        entries.sort(ORDER);
        return entries;
    }

    private static byte[] header(Path path, List<Entry> entries, Map<String, String> metadata)
            throws SafetensorsException {
        StringBuilder json = new StringBuilder("{");
        if (!metadata.isEmpty()) {
            json.append("\"__metadata__\":{");
            for (Map.Entry<String, String> string : new TreeMap<>(metadata).entrySet()) {
                quote(path, json, string.getKey());
                json.append(':');
                quote(path, json, string.getValue());
                json.append(',');
            }
            json.setCharAt(json.length() - 1, '}');
            json.append(',');
        }
        long offset = 0;
        for (Entry entry : entries) {
            quote(path, json, entry.name);
            json.append(":{\"dtype\":\"").append(entry.source.dtype()).append("\",\"shape\":[");
            String separator = "";
            for (long size : entry.source.shape()) {
                json.append(separator).append(size);
                separator = ",";
            }
            json.append("],\"data_offsets\":[").append(offset).append(',');
            try {
                offset = Math.addExact(offset, entry.bytes);
            } catch (ArithmeticException e) {
                throw new SafetensorsException(
                        Reason.SIZE_OVERFLOW, path, "expected fewer than 2^63 bytes in all", e);
            }
            json.append(offset).append("]},");
        }
        if (json.length() > 1) {
            json.setLength(json.length() - 1);
        }
        json.append('}');
        byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
        if (text.length > Header.MAX_BYTES - 8) {
            throw new SafetensorsException(
                    Reason.HEADER_TOO_LARGE,
                    path,
                    "expected a header of at most "
                            + Header.MAX_BYTES
                            + " bytes, found "
                            + text.length);
        }
        byte[] padded = Arrays.copyOf(text, (text.length + 7) / 8 * 8);
        Arrays.fill(padded, text.length, padded.length, (byte) ' ');
        return padded;
    }

    /** Escapes exactly what the reference implementation's JSON library escapes. */
    private static void quote(Path path, StringBuilder json, String text)
            throws SafetensorsException {
        if (!Header.isWellFormed(text)) {
            throw new SafetensorsException(
                    Reason.INVALID_METADATA, path, "expected text, found an unpaired surrogate");
        }
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"', '\\' -> json.append('\\').append(c);
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                default -> {
                    if (c < 0x20) {
                        json.append("\\u00").append(c < 0x10 ? '0' : '1');
                        json.append(Character.forDigit(c & 0xf, 16));
                    } else {
                        json.append(c);
                    }
                }
            }
        }
        json.append('"');
    }

    private static final class Entry {
        private final String name;
        private final byte[] utf8;
        private final TensorSource source;
        private final long bytes;

        Entry(String name, byte[] utf8, TensorSource source, long bytes) {
            this.name = name;
            this.utf8 = utf8;
            this.source = source;
            this.bytes = bytes;
        }

        byte[] utf8() {
            return utf8;
        }

        String describe() {
            return "tensor \"" + name + "\" (" + source.dtype() + " " + source.shape() + ")";
        }
    }

    private static final class CountingChannel implements WritableByteChannel {
        private final WritableByteChannel target;
        private long count;

        CountingChannel(WritableByteChannel target) {
            this.target = target;
        }

        @Override
        public int write(ByteBuffer bytes) throws IOException {
            int total = bytes.remaining();
            while (bytes.hasRemaining()) {
                target.write(bytes);
            }
            count += total;
            return total;
        }

        @Override
        public boolean isOpen() {
            return target.isOpen();
        }

        @Override
        public void close() {
            // a source must not end the file
        }
    }
}
