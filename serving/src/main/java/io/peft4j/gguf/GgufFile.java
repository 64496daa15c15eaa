package io.peft4j.gguf;

import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A GGUF file of version 3 to write: settings by key, then float32 tensors.
 *
 * <pre>
 * file     "GGUF" version:u32 tensors:u64 settings:u64 setting* info* padding data*
 * setting  key:string type:u32 value          a value is u32 (4), f32 (6) or a string (8)
 * info     name:string axes:u32 size:u64* type:u32 offset:u64       innermost size first
 * string   length:u64 bytes
 * </pre>
 *
 * <p>All numbers are little-endian. Data, and each tensor in it, begin at multiples of 32 bytes.
 */
public final class GgufFile {

    private static final int MAGIC = 0x46554747; // "GGUF", read as a little-endian number
    private static final int VERSION = 3;
    private static final int ALIGNMENT = 32;
    private static final int UINT32 = 4;
    private static final int FLOAT32 = 6;
    private static final int STRING = 8;
    private static final int TENSOR_OF_FLOAT32 = 0;
    private static final int LONGEST_KEY = 65_535;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final Pattern KEY = Pattern.compile("[a-z0-9_]+(\\.[a-z0-9_]+)*");

    private final Map<String, Object> settings = new LinkedHashMap<>();
    private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();

    /** Starts an empty file. */
    public GgufFile() {}

    /**
     * Adds a text.
     *
     * @param key a new key: lower-case words with dots between, such as {@code general.type}
     * @param value the text
     * @return this file
     * @throws IllegalArgumentException if the key is taken or malformed
     */
    public GgufFile add(String key, String value) {
        return addSetting(key, value);
    }

    /**
     * Adds a whole number, kept as u32.
     *
     * @param key a new key
     * @param value the number, not negative
     * @return this file
     * @throws IllegalArgumentException if the key is taken or malformed, or the number is negative
     */
    public GgufFile add(String key, int value) {
        if (value < 0) {
            throw new IllegalArgumentException(key + " must not be negative, but is " + value);
        }
        return addSetting(key, value);
    }

    /**
     * Adds a number, kept as f32.
     *
     * @param key a new key
     * @param value the number, finite
     * @return this file
     * @throws IllegalArgumentException if the key is taken or malformed, or the number not finite
     */
    public GgufFile add(String key, float value) {
        if (!Float.isFinite(value)) {
            throw new IllegalArgumentException(key + " must be finite, but is " + value);
        }
        return addSetting(key, value);
    }

    private GgufFile addSetting(String key, Object value) {
        if (key.length() > LONGEST_KEY || !KEY.matcher(key).matches()) {
            throw new IllegalArgumentException(
                    "a key is of lower-case words with dots between, such as general.type, but one"
                            + " of "
                            + key.length()
                            + " characters was given");
        }
        if (settings.putIfAbsent(key, value) != null) {
            throw new IllegalArgumentException(key + " is there already");
        }
        return this;
    }

    /**
     * Adds a float32 tensor.
     *
     * @param name a new name of 1 to 63 visible ASCII characters
     * @param values the elements, row by row; not copied
     * @param shape one to four sizes, outermost first
     * @return this file
     * @throws IllegalArgumentException if the name is taken or malformed, the shape has another
     *     number of elements, or one of them is not finite
     */
    public GgufFile add(String name, float[] values, long... shape) {
        if (tensors.putIfAbsent(name, new GgufTensor(name, shape, values)) != null) {
            throw new IllegalArgumentException("there is a tensor " + name + " already");
        }
        return this;
    }

    /**
     * Writes the file. A kill or a full disk at any moment leaves what was there.
     *
     * @param file the file to create or replace; its directory must exist
     * @throws IOException if writing fails
     */
    public void write(Path file) throws IOException {
        AtomicFiles.write(
                file,
                channel -> {
                    Output out = new Output(channel);
                    writeHeader(out);
                    for (GgufTensor tensor : tensors.values()) {
                        out.align();
                        for (float value : tensor.values()) {
                            out.number(value);
                        }
                    }
                    out.align();
                    out.flush();
                });
    }

    private void writeHeader(Output out) throws IOException {
        out.number(MAGIC);
        out.number(VERSION);
        out.number((long) tensors.size());
        out.number((long) settings.size());
        for (Map.Entry<String, Object> setting : settings.entrySet()) {
            out.text(setting.getKey());
            if (setting.getValue() instanceof String text) {
                out.number(STRING);
                out.text(text);
            } else if (setting.getValue() instanceof Integer whole) {
                out.number(UINT32);
                out.number(whole.intValue());
            } else {
                out.number(FLOAT32);
                out.number(((Float) setting.getValue()).floatValue());
            }
        }
        long offset = 0;
        for (GgufTensor tensor : tensors.values()) {
            out.text(tensor.name());
            long[] sizes = tensor.innermostFirst();
            out.number(sizes.length);
            for (long size : sizes) {
                out.number(size);
            }
            out.number(TENSOR_OF_FLOAT32);
            out.number(offset);
            offset = aligned(Math.addExact(offset, tensor.byteCount()));
        }
    }

    private static long aligned(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** Numbers and texts on their way into a channel. */
    private static final class Output {

        private final WritableByteChannel channel;
        private final ByteBuffer buffer =
                ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        private long position;

        Output(WritableByteChannel channel) {
            this.channel = channel;
        }

        void number(int value) throws IOException {
            room(Integer.BYTES).putInt(value);
        }

        void number(long value) throws IOException {
            room(Long.BYTES).putLong(value);
        }

        void number(float value) throws IOException {
            room(Float.BYTES).putFloat(value);
        }

        void text(String text) throws IOException {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            number((long) bytes.length);
            for (byte one : bytes) {
                room(1).put(one);
            }
        }

        void align() throws IOException {
            while (position % ALIGNMENT != 0) {
                room(1).put((byte) 0);
            }
        }

        private ByteBuffer room(int bytes) throws IOException {
            if (buffer.remaining() < bytes) {
                flush();
            }
            position += bytes;
            return buffer;
        }

        void flush() throws IOException {
            buffer.flip();
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            buffer.clear();
        }
    }
}
