package io.peft4j.torchscript;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** A zip file of which each field can be made wrong. */
final class RawZip {

    /** A record as the directory tells it; the local header has the name and nothing else. */
    static final class Record {
        final String name;
        final byte[] packed;
        String localName;
        int method;
        long crc;
        long size;
        long packedSize;

        /** Where the local header is put, or -1 for after the record before. */
        long place = -1;

        Record(String name, byte[] content, boolean compressed) {
            this.name = name;
            localName = name;
            method = compressed ? 8 : 0;
            packed = compressed ? deflate(content) : content;
            CRC32 sum = new CRC32();
            sum.update(content);
            crc = sum.getValue();
            size = content.length;
            packedSize = packed.length;
        }
    }

    private final List<Record> records = new ArrayList<>();

    private static byte[] deflate(byte[] content) {
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(content);
        deflater.finish();
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        byte[] chunk = new byte[1 << 16];
        while (!deflater.finished()) {
            packed.write(chunk, 0, deflater.deflate(chunk));
        }
        deflater.end();
        return packed.toByteArray();
    }

    /** All records of an archive, to be spoiled. */
    static RawZip copyOf(Path original) throws IOException {
        RawZip copy = new RawZip();
        try (ZipRecords zip = ZipRecords.open(original)) {
            for (String name : zip.entries().keySet()) {
                copy.add("archive/" + name, zip.read(name, 1 << 30), false);
            }
        }
        return copy;
    }

    Record add(String name, byte[] content, boolean compressed) {
        Record record = new Record(name, content, compressed);
        records.add(record);
        return record;
    }

    Record get(String name) {
        return records.stream().filter(r -> r.name.equals(name)).findFirst().orElseThrow();
    }

    /** Writes the file with ZIP64 fields throughout; places in between are holes of the file. */
    Path write(Path target) throws IOException {
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        try (FileChannel channel =
                FileChannel.open(
                        target,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.SPARSE,
                        StandardOpenOption.WRITE)) {
            long end = 0;
            for (Record record : records) {
                long place = record.place < 0 ? end : record.place;
                byte[] local = record.localName.getBytes(StandardCharsets.UTF_8);
                ByteBuffer header = little(30 + local.length);
                header.putInt(0, 0x04034b50).putShort(26, (short) local.length).put(30, local);
                channel.write(header, place);
                channel.write(ByteBuffer.wrap(record.packed), place + header.capacity());
                end =
                        place
                                + header.capacity()
                                + Math.max(record.packed.length, Math.max(0, record.packedSize));
                directory.writeBytes(central(record, place));
            }
            channel.write(ByteBuffer.wrap(directory.toByteArray()), end);
            channel.write(tail(end, directory.size()), end + directory.size());
        }
        return target;
    }

    private static byte[] central(Record record, long place) {
        byte[] name = record.name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer entry = little(46 + name.length + 28);
        entry.putInt(0, 0x02014b50).putShort(10, (short) record.method);
        entry.putInt(16, (int) record.crc).putInt(20, -1).putInt(24, -1).putInt(42, -1);
        entry.putShort(28, (short) name.length).putShort(30, (short) 28);
        entry.put(46, name);
        int extra = 46 + name.length;
        entry.putShort(extra, (short) 1).putShort(extra + 2, (short) 24);
        entry.putLong(extra + 4, record.size).putLong(extra + 12, record.packedSize);
        entry.putLong(extra + 20, place);
        return entry.array();
    }

    private ByteBuffer tail(long start, int size) {
        ByteBuffer tail = little(56 + 20 + 22);
        tail.putInt(0, 0x06064b50).putLong(4, 44);
        tail.putLong(24, records.size()).putLong(32, records.size());
        tail.putLong(40, size).putLong(48, start);
        tail.putInt(56, 0x07064b50).putLong(64, start + size).putInt(72, 1);
        tail.putInt(76, 0x06054b50).putShort(84, (short) -1).putShort(86, (short) -1);
        tail.putInt(88, -1).putInt(92, -1);
        return tail;
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
