package io.peft4j.torchscript;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes an archive's records as torch.jit does: uncompressed, each beginning at a multiple of 64
 * bytes, behind a header that is filled up. ZIP64 fields are written where sizes need them.
 */
final class RecordWriter implements AutoCloseable {

    private static final int ALIGNMENT = 64;
    private static final int HEADER = 30;

    /** What {@link ZipOutputStream} puts before other extra fields if a size needs 64 bits. */
    private static final int ZIP64_FIELD = 20;

    /** The first day that a zip file can tell, so that the same content is the same file. */
    private static final LocalDateTime TIME = LocalDateTime.of(1980, 1, 1, 12, 0);

    private final String folder;
    private final Counter counter;
    private final ZipOutputStream zip;

    RecordWriter(String folder, OutputStream target) {
        this.folder = folder;
        counter = new Counter(target);
        zip = new ZipOutputStream(counter);
    }

    /** Writes a record's bytes. */
    interface Content {
        void write(OutputStream target) throws IOException;
    }

    void put(String name, byte[] content) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(content);
        put(name, content.length, crc.getValue(), target -> target.write(content));
    }

    /** Puts a record whose checksum is known; a content that has another is an error. */
    void put(String name, long size, long crc, Content content) throws IOException {
        ZipEntry entry = new ZipEntry(folder + "/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(size);
        entry.setCompressedSize(size);
        entry.setCrc(crc);
        entry.setTimeLocal(TIME);
        zip.flush();
        int nameLength = entry.getName().getBytes(StandardCharsets.UTF_8).length;
        int wide = size >= 0xFFFFFFFFL ? ZIP64_FIELD : 0;
        long start = counter.written + HEADER + nameLength + wide + 4;
        int fill = (int) ((ALIGNMENT - start % ALIGNMENT) % ALIGNMENT);
        byte[] extra = new byte[4 + fill]; // a field "FB" of padding, as torch's
        extra[0] = 'F';
        extra[1] = 'B';
        extra[2] = (byte) fill;
        Arrays.fill(extra, 4, extra.length, (byte) 'Z');
        entry.setExtra(extra);
        zip.putNextEntry(entry);
        content.write(zip);
        zip.closeEntry();
    }

    @Override
    public void close() throws IOException {
        zip.finish();
        zip.flush();
    }

    private static final class Counter extends FilterOutputStream {

        private long written;

        Counter(OutputStream target) {
            super(target);
        }

        @Override
        public void write(int b) throws IOException {
            out.write(b);
            written++;
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            out.write(bytes, from, length);
            written += length;
        }
    }
}
