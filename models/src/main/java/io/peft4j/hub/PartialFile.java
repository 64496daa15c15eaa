package io.peft4j.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A file of which some ranges are there, and a journal beside it that says which, so that a later
 * process goes on where this one was killed.
 *
 * <p>The journal is text that only grows: {@code size N}, then {@code have START END} after those
 * bytes were written, and {@code etag "..."} once. A last line without its end is not believed. It
 * may promise bytes that a power cut took; the hash at the end finds that.
 */
final class PartialFile implements AutoCloseable {

    private static final Pattern LINE =
            Pattern.compile("(?:have (\\d{1,18}) (\\d{1,18})|etag (\"[\\x21\\x23-\\x7e]*\"))\n");
    private static final int MOST_JOURNAL_BYTES = 16_000_000;

    private final Path file;
    private final Path journal;
    private final long size;
    private final FileChannel data;
    private final FileChannel notes;
    private List<ByteRange> have = new ArrayList<>();
    private @Nullable String validator;

    private PartialFile(Path file, Path journal, long size, FileChannel data, FileChannel notes) {
        this.file = file;
        this.journal = journal;
        this.size = size;
        this.data = data;
        this.notes = notes;
    }

    static PartialFile open(Path file, Path journal, long size) throws IOException {
        FileChannel data =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileChannel notes =
                    FileChannel.open(
                            journal,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE);
            PartialFile partial = new PartialFile(file, journal, size, data, notes);
            partial.recall();
            return partial;
        } catch (IOException e) {
            data.close();
            throw e;
        }
    }

    private void recall() throws IOException {
        String head = "size " + size + "\n";
        String text = "";
        if (notes.size() <= MOST_JOURNAL_BYTES) {
            ByteBuffer bytes = ByteBuffer.allocate((int) notes.size());
            while (bytes.hasRemaining() && notes.read(bytes) >= 0) {}
            text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII);
        }
        if (!text.startsWith(head)) {
            clear();
            return;
        }
        int at = head.length();
        Matcher line = LINE.matcher(text);
        while (line.find(at) && line.start() == at) {
            if (line.group(3) != null) {
                validator = line.group(3);
            } else {
                ByteRange range =
                        new ByteRange(Long.parseLong(line.group(1)), Long.parseLong(line.group(2)));
                if (range.end() <= Math.min(size, data.size())) {
                    have.add(range);
                }
            }
            at = line.end();
        }
        notes.truncate(at).position(at);
    }

    /** Forgets all bytes. */
    synchronized void clear() throws IOException {
        have = new ArrayList<>();
        validator = null;
        data.truncate(0);
        notes.truncate(0).position(0);
        note("size " + size + "\n");
    }

    synchronized List<ByteRange> missing(long longest) {
        return ByteRange.gaps(have, size, longest);
    }

    synchronized long received() {
        return size - missing(Long.MAX_VALUE).stream().mapToLong(ByteRange::length).sum();
    }

    long size() {
        return size;
    }

    /** The ETag of the host that stores the file, for If-Range. */
    synchronized @Nullable String validator() {
        return validator;
    }

    synchronized void validator(String etag) throws IOException {
        String line = "etag " + etag + "\n";
        if (validator == null && LINE.matcher(line).matches()) {
            validator = etag;
            note(line);
        }
    }

    void write(long at, ByteBuffer bytes) throws IOException {
        long position = at;
        try {
            while (bytes.hasRemaining()) {
                position += data.write(bytes, position);
            }
        } catch (java.nio.channels.ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            throw diskFailure(e, file);
        }
    }

    /** Notes that a range was written. */
    synchronized void written(long start, long end) throws IOException {
        if (end > start) {
            have.add(new ByteRange(start, end));
            note("have " + start + " " + end + "\n");
        }
    }

    private void note(String line) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            notes.write(bytes);
        }
    }

    static IOException diskFailure(IOException e, Path file) {
        String text = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
        if (text.contains("no space left") || text.contains("disk quota")) {
            return new HubException(
                    HubException.Reason.DISK_FULL,
                    "the disk of the hub's cache is full at "
                            + file
                            + "; free some space, or set HF_HUB_CACHE to another disk; what was"
                            + " fetched is kept",
                    e);
        }
        return new FileSystemException(file.toString(), null, text);
    }

    void removeJournal() throws IOException {
        notes.close();
        Files.deleteIfExists(journal);
    }

    /** Removes file and journal. */
    void discard() throws IOException {
        close();
        Files.deleteIfExists(file);
        Files.deleteIfExists(journal);
    }

    @Override
    public void close() throws IOException {
        try {
            data.close();
        } finally {
            notes.close();
        }
    }
}
