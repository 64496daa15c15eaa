package io.peft4j.torchscript;

import io.peft4j.torchscript.ZipDirectory.Entry;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import java.util.zip.ZipException;

/**
 * The records of a TorchScript archive, which is a zip file of entries below one folder. Everything
 * the file says of itself is checked before anything is read by it, see {@link ZipDirectory}.
 * Tensors are never compressed; code may be, in all to so many bytes that unpacking them is no
 * danger. A record is checked against its checksum when it is read.
 */
final class ZipRecords implements AutoCloseable {

    private final Path file;
    private final FileChannel channel;
    private final ZipDirectory directory;

    private ZipRecords(Path file, FileChannel channel) throws IOException {
        this.file = file;
        this.channel = channel;
        directory = ZipDirectory.read(file, channel);
    }

    static ZipRecords open(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        try {
            return new ZipRecords(file, channel);
        } catch (IOException | RuntimeException | Error e) {
            channel.close();
            throw e;
        }
    }

    /** All records by name, without the folder, in the order of the file. */
    Map<String, Entry> entries() {
        return directory.entries();
    }

    String folder() {
        return directory.folder();
    }

    Path file() {
        return file;
    }

    boolean has(String name) {
        return entries().containsKey(name);
    }

    /** Reads a record that may have at most so many bytes. */
    byte[] read(String name, int most) throws IOException {
        Entry entry = entries().get(name);
        if (entry == null) {
            throw refused("there is no record " + name + ", so this is no TorchScript archive");
        }
        if (entry.size() > most) {
            throw refused(
                    "record "
                            + name
                            + " has "
                            + entry.size()
                            + " bytes; at most "
                            + most
                            + " are read");
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream((int) entry.size());
        copy(entry, bytes);
        return bytes.toByteArray();
    }

    String text(String name, int most) throws IOException {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(read(name, most)))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new TorchScriptException(file + ": record " + name + " is no UTF-8 text", e);
        }
    }

    /** Copies a record's bytes, unpacked, and checks them. */
    void copy(Entry entry, OutputStream target) throws IOException {
        CRC32 crc = new CRC32();
        long size = 0;
        try (InputStream packed = new Section(entry);
                InputStream bytes = entry.compressed() ? new Unpacked(packed) : packed) {
            byte[] chunk = new byte[1 << 16];
            for (int read; (read = bytes.read(chunk)) > 0 && size <= entry.size(); size += read) {
                crc.update(chunk, 0, read);
                target.write(chunk, 0, read);
            }
        } catch (ZipException | EOFException e) {
            throw new TorchScriptException(
                    file + ": record " + entry.name() + " is damaged: " + e.getMessage(), e);
        }
        if (size != entry.size() || crc.getValue() != entry.crc()) {
            throw refused("record " + entry.name() + " is damaged: its checksum is another one");
        }
    }

    /** The bytes of an entry as they lie in the file. */
    private final class Section extends InputStream {

        private long position;
        private final long end;

        Section(Entry entry) {
            position = entry.start();
            end = entry.start() + entry.packed();
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int from, int length) throws IOException {
            if (position == end) {
                return -1;
            }
            int most = (int) Math.min(length, end - position);
            int read = channel.read(ByteBuffer.wrap(bytes, from, most), position);
            position += Math.max(0, read);
            return read;
        }
    }

    /** Frees the unpacker, which the class above leaves to the garbage collector. */
    private static final class Unpacked extends InflaterInputStream {

        Unpacked(InputStream packed) {
            super(packed, new Inflater(true), 1 << 16);
        }

        @Override
        public void close() throws IOException {
            super.close();
            inf.end();
        }
    }

    private TorchScriptException refused(String why) {
        return new TorchScriptException(file + ": " + why);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
