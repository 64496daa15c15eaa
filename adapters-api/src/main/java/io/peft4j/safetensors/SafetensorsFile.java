package io.peft4j.safetensors;

import io.peft4j.safetensors.SafetensorsException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One open safetensors file.
 *
 * <pre>
 * file   = length header data
 * length = unsigned 64-bit little-endian size of the header, at most 100,000,000
 * header = JSON object: name -&gt; {"dtype", "shape", "data_offsets": [begin, end]}, and optionally
 *          "__metadata__" -&gt; object of strings; padded with spaces
 * data   = the tensors' bytes, little-endian, without gaps or overlaps, to the end of the file
 * </pre>
 *
 * <p>Everything the header says is checked when the file is opened; the data is read when asked
 * for, with positional reads and not through a memory map: a mapped file that another process cuts
 * kills the JVM with SIGBUS as soon as a lost page is touched in native code, while a short read is
 * an exception. The page cache serves repeated reads either way.
 */
public final class SafetensorsFile implements TensorReader {

    private static final int LENGTH_BYTES = 8;

    private final Path path;
    private final FileChannel channel;
    private final long dataStart;
    private final Map<String, String> metadata;
    private final Map<String, TensorInfo> tensors;

    private SafetensorsFile(Path path, FileChannel channel, long dataStart, Header header) {
        this.path = path;
        this.channel = channel;
        this.dataStart = dataStart;
        this.metadata = Collections.unmodifiableMap(header.metadata());
        this.tensors = new LinkedHashMap<>();
        header.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
    }

    /**
     * Opens and validates a file.
     *
     * @param path the file
     * @return the open file; close it
     * @throws SafetensorsException if it is no valid safetensors file, or a Python pickle
     * @throws IOException if it is missing or cannot be read
     */
    public static SafetensorsFile open(Path path) throws IOException {
        if (PickleRefusal.hasPickleName(path)) {
            throw PickleRefusal.refuse(path);
        }
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        SafetensorsFile file = null;
        try {
            if (!Files.isRegularFile(path)) {
                throw new SafetensorsException(
                        Reason.NOT_A_FILE, path, "expected a file, found something else");
            }
            file = validate(path, channel);
            return file;
        } finally {
            if (file == null) {
                channel.close();
            }
        }
    }

    private static SafetensorsFile validate(Path path, FileChannel channel) throws IOException {
        long size = channel.size();
        ByteBuffer start =
                ByteBuffer.allocate((int) Math.min(size, LENGTH_BYTES + 1))
                        .order(ByteOrder.LITTLE_ENDIAN);
        readFully(path, channel, 0, start);
        if (PickleRefusal.hasPickleContent(start.array())) {
            throw PickleRefusal.refuse(path);
        }
        if (size < LENGTH_BYTES) {
            throw new SafetensorsException(
                    Reason.FILE_TOO_SHORT,
                    path,
                    "expected at least " + LENGTH_BYTES + " bytes, found " + size);
        }
        long length = start.getLong(0);
        if (length < 0 || length > Header.MAX_BYTES) {
            throw new SafetensorsException(
                    Reason.HEADER_TOO_LARGE,
                    path,
                    "expected a header of at most "
                            + Header.MAX_BYTES
                            + " bytes, found a length of "
                            + Long.toUnsignedString(length));
        }
        if (length > size - LENGTH_BYTES) {
            throw new SafetensorsException(
                    Reason.HEADER_BEYOND_FILE,
                    path,
                    "expected "
                            + length
                            + " bytes of header, found "
                            + (size - LENGTH_BYTES)
                            + " bytes up to the end of the file");
        }
        ByteBuffer header = ByteBuffer.allocate((int) length);
        readFully(path, channel, LENGTH_BYTES, header);
        long dataStart = LENGTH_BYTES + length;
        return new SafetensorsFile(
                path,
                channel,
                dataStart,
                HeaderParser.parse(path.toString(), header.array(), size - dataStart));
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    @Override
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public @Nullable TensorInfo find(String name) {
        return tensors.get(name);
    }

    @Override
    public void read(TensorInfo tensor, long offset, ByteBuffer destination) throws IOException {
        if (!tensor.equals(tensors.get(tensor.name()))) {
            throw new SafetensorsException(
                    Reason.WRONG_REQUEST,
                    path,
                    "expected a tensor of this file, found \"" + tensor.name() + "\" of another");
        }
        TensorData.checkRange(path, tensor, offset, destination.remaining());
        readFully(path, channel, dataStart + tensor.begin() + offset, destination);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private static void readFully(Path path, FileChannel channel, long from, ByteBuffer target)
            throws IOException {
        long at = from;
        while (target.hasRemaining()) {
            int count = channel.read(target, at);
            if (count < 0) {
                throw new SafetensorsException(
                        Reason.DATA_TRUNCATED,
                        path,
                        "expected "
                                + target.remaining()
                                + " more bytes at "
                                + at
                                + ", found the end: the file has become shorter");
            }
            at += count;
        }
    }
}
