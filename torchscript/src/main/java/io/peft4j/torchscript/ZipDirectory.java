package io.peft4j.torchscript;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a zip file says of itself, checked: names, sizes, that local headers agree, that no two
 * entries share bytes, and that no more is to be unpacked than there is memory for.
 */
final class ZipDirectory {

    private static final int MAX_RECORDS = 100_000;
    private static final int MAX_NAME = 512;
    private static final int MAX_DIRECTORY = 100 << 20;
    private static final long MAX_UNPACKED = 256L << 20;

    private static final int END = 0x06054b50;
    private static final int END_64 = 0x06064b50;
    private static final int LOCATOR_64 = 0x07064b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int LOCAL = 0x04034b50;
    private static final int DEFLATED = 8;
    private static final long IN_EXTRA = 0xFFFFFFFFL;

    /**
     * One record.
     *
     * @param header where its local header begins
     * @param start where its bytes begin
     * @param size how many they are, unpacked
     * @param packed how many they are in the file
     * @param compressed whether they are compressed
     * @param crc the CRC-32 of the unpacked bytes
     */
    record Entry(
            String name,
            long header,
            long start,
            long size,
            long packed,
            boolean compressed,
            long crc) {}

    private record Place(long start, long size, long count) {}

    private final Path file;
    private final FileChannel channel;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private String folder = "";

    private ZipDirectory(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    static ZipDirectory read(Path file, FileChannel channel) throws IOException {
        ZipDirectory directory = new ZipDirectory(file, channel);
        directory.read();
        return directory;
    }

    /** All records by name, without the folder, in the order of the directory. */
    Map<String, Entry> entries() {
        return entries;
    }

    /** The one folder that all lie in. */
    String folder() {
        return folder;
    }

    private void read() throws IOException {
        Place directory = locate();
        if (directory.count() > MAX_RECORDS || directory.size() > MAX_DIRECTORY) {
            throw refused(
                    directory.count()
                            + " records in a directory of "
                            + directory.size()
                            + " bytes; at most "
                            + MAX_RECORDS
                            + " in "
                            + MAX_DIRECTORY
                            + " are read");
        }
        if (directory.start() < 0
                || directory.size() < 0
                || directory.start() > channel.size() - directory.size()) {
            throw refused("its directory lies outside of the file; is it cut?");
        }
        ByteBuffer bytes = read(directory.start(), (int) directory.size());
        List<Entry> all = new ArrayList<>();
        for (long i = 0; i < directory.count(); i++) {
            Entry entry = entry(bytes);
            all.add(entry);
            if (!entry.name().endsWith("/")) {
                String name = withoutFolder(entry.name());
                if (entries.put(name, entry) != null) {
                    throw refused("two records are named " + entry.name());
                }
            }
        }
        long left = MAX_UNPACKED; // a sum of sizes that a file claims could overflow
        for (Entry entry : all) {
            if (entry.compressed() && (left -= Math.min(entry.size(), Long.MAX_VALUE / 2)) < 0) {
                throw refused(
                        "its compressed records, such as "
                                + entry.name()
                                + ", would unpack to"
                                + " more than "
                                + MAX_UNPACKED
                                + " bytes");
            }
        }
        all.sort(Comparator.comparingLong(Entry::header));
        for (int i = 0; i < all.size(); i++) {
            long next = i + 1 < all.size() ? all.get(i + 1).header() : directory.start();
            if (all.get(i).start() > next - all.get(i).packed()) {
                throw refused(
                        "record "
                                + all.get(i).name()
                                + " of "
                                + all.get(i).packed()
                                + " bytes reaches into what follows it");
            }
        }
    }

    private Place locate() throws IOException {
        long size = channel.size();
        if (size < 22) {
            throw notZip();
        }
        int tail = (int) Math.min(size, 22 + 0xFFFF);
        ByteBuffer bytes = read(size - tail, tail);
        int at = tail - 22;
        while (at >= 0 && bytes.getInt(at) != END) {
            at--;
        }
        if (at < 0) {
            throw notZip();
        }
        long count = bytes.getShort(at + 10) & 0xFFFF;
        long length = bytes.getInt(at + 12) & 0xFFFFFFFFL;
        long start = bytes.getInt(at + 16) & 0xFFFFFFFFL;
        boolean wide = count == 0xFFFF || length == IN_EXTRA || start == IN_EXTRA;
        if (wide && at >= 20 && bytes.getInt(at - 20) == LOCATOR_64) {
            long end = bytes.getLong(at - 12);
            if (end < 0 || end > size - 56) {
                throw refused("its directory lies outside of the file; is it cut?");
            }
            ByteBuffer record = read(end, 56);
            if (record.getInt(0) != END_64) {
                throw refused("its ZIP64 directory is not where it should be");
            }
            return new Place(record.getLong(48), record.getLong(40), record.getLong(32));
        }
        return new Place(start, length, count);
    }

    private Entry entry(ByteBuffer bytes) throws IOException {
        if (bytes.remaining() < 46 || bytes.getInt() != CENTRAL) {
            throw refused("its directory is cut or damaged");
        }
        int at = bytes.position() - 4;
        int flags = bytes.getShort(at + 8);
        int method = bytes.getShort(at + 10) & 0xFFFF;
        long crc = bytes.getInt(at + 16) & 0xFFFFFFFFL;
        long packed = bytes.getInt(at + 20) & 0xFFFFFFFFL;
        long size = bytes.getInt(at + 24) & 0xFFFFFFFFL;
        int nameLength = bytes.getShort(at + 28) & 0xFFFF;
        int extraLength = bytes.getShort(at + 30) & 0xFFFF;
        int commentLength = bytes.getShort(at + 32) & 0xFFFF;
        long header = bytes.getInt(at + 42) & 0xFFFFFFFFL;
        int end = at + 46 + nameLength + extraLength + commentLength;
        if (nameLength > MAX_NAME || end > bytes.limit()) {
            throw refused("its directory is cut or damaged");
        }
        String name = name(bytes, at + 46, nameLength);
        ByteBuffer extra = wideFields(bytes, at + 46 + nameLength, extraLength);
        if (size == IN_EXTRA && extra != null && extra.remaining() >= 8) {
            size = extra.getLong();
        }
        if (packed == IN_EXTRA && extra != null && extra.remaining() >= 8) {
            packed = extra.getLong();
        }
        if (header == IN_EXTRA && extra != null && extra.remaining() >= 8) {
            header = extra.getLong();
        }
        bytes.position(end);
        if (size < 0 || packed < 0 || header < 0) {
            throw refused("record " + name + " has a size or place below zero");
        }
        boolean tensor = name.contains("/data/") || name.contains("/constants/");
        boolean compressed = method == DEFLATED;
        if (tensor && (method != 0 || packed != size)) {
            throw refused(
                    "tensor "
                            + name
                            + " is compressed, to "
                            + packed
                            + " of "
                            + size
                            + " bytes; torch.jit.save never does that");
        }
        if (!compressed && method != 0) {
            throw refused("record " + name + " is compressed in a way that zip files rarely are");
        }
        if (!compressed && packed != size) {
            throw refused("record " + name + " has two sizes, " + packed + " and " + size);
        }
        if ((flags & 1) != 0) {
            throw refused("record " + name + " is encrypted");
        }
        return new Entry(name, header, start(name, header), size, packed, compressed, crc);
    }

    /** The fields of a ZIP64 extra field, or null. */
    private static @Nullable ByteBuffer wideFields(ByteBuffer bytes, int at, int length) {
        int end = at + length;
        while (end - at >= 4) {
            int size = bytes.getShort(at + 2) & 0xFFFF;
            if (bytes.getShort(at) == 1 && at + 4 + size <= end) {
                return bytes.slice(at + 4, size).order(ByteOrder.LITTLE_ENDIAN);
            }
            at += 4 + size;
        }
        return null;
    }

    private String name(ByteBuffer bytes, int at, int length) throws IOException {
        try {
            String name =
                    StandardCharsets.UTF_8.newDecoder().decode(bytes.slice(at, length)).toString();
            boolean climbs = List.of(name.split("/", -1)).contains("..");
            if (climbs || name.startsWith("/") || name.contains("\\")) {
                throw refused(
                        "record name \"" + printable(name) + "\" would lead out of the archive");
            }
            if (name.chars().anyMatch(Character::isISOControl)) {
                throw refused("record name \"" + printable(name) + "\" has control characters");
            }
            return name;
        } catch (CharacterCodingException e) {
            throw new TorchScriptException(file + ": a record's name is no UTF-8 text", e);
        }
    }

    private static String printable(String name) {
        return name.replaceAll("\\p{Cntrl}", "?");
    }

    /** Reads the local header, which must agree, and returns where the bytes begin. */
    private long start(String name, long header) throws IOException {
        if (header < 0 || header > channel.size() - 30) {
            throw refused("record " + name + " lies outside of the file; is it cut?");
        }
        ByteBuffer bytes = read(header, 30);
        int nameLength = bytes.getShort(26) & 0xFFFF;
        long start = header + 30 + nameLength + (bytes.getShort(28) & 0xFFFF);
        byte[] expected = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.getInt(0) != LOCAL
                || nameLength != expected.length
                || start > channel.size()
                || !ByteBuffer.wrap(expected).equals(read(header + 30, nameLength))) {
            throw refused("record " + name + " is not where the directory says");
        }
        return start;
    }

    private String withoutFolder(String name) throws IOException {
        int slash = name.indexOf('/');
        if (slash <= 0 || (!folder.isEmpty() && !folder.equals(name.substring(0, slash)))) {
            throw refused(
                    "record "
                            + printable(name)
                            + " does not lie in the archive's one folder "
                            + folder);
        }
        folder = name.substring(0, slash);
        return name.substring(slash + 1);
    }

    private ByteBuffer read(long position, int size) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, position + bytes.position()) < 0) {
                throw new EOFException(file + " has become shorter while it was read");
            }
        }
        return bytes.flip();
    }

    private TorchScriptException notZip() {
        return refused(
                "this is no zip file, which a TorchScript archive is; save one with"
                        + " torch.jit.save");
    }

    private TorchScriptException refused(String why) {
        return new TorchScriptException(file + ": " + why);
    }
}
