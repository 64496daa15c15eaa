package io.peft4j.files;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Replaces files so that a kill, a full disk or a failing writer leaves the old file or the new
 * one, never a part of either.
 *
 * <p>The bytes go to a hidden temporary file beside the target ({@code .name.pid-n.tmp}), are
 * forced to the disk, and the temporary file is renamed over the target in one step; then the
 * directory is forced too. A target that is mapped or open elsewhere keeps its old bytes there. A
 * target that is a symbolic link is replaced itself; what it pointed at stays as it was. What a
 * killed process left behind is removed by the next write to the same target.
 */
public final class AtomicFiles {

    private AtomicFiles() {}

    /** Writes a file's content to a channel that starts empty. */
    @FunctionalInterface
    public interface ChannelWriter {
        /**
         * Writes the whole content.
         *
         * @param channel the temporary file, open for reading and writing at position 0; closed by
         *     the caller
         * @throws IOException if writing fails; the target stays as it was
         */
        void write(FileChannel channel) throws IOException;
    }

    /** Writes a file's content to a stream. */
    @FunctionalInterface
    public interface StreamWriter {
        /**
         * Writes the whole content.
         *
         * @param stream an unbuffered stream to the temporary file; closed by the caller
         * @throws IOException if writing fails; the target stays as it was
         */
        void write(OutputStream stream) throws IOException;
    }

    /**
     * Creates or replaces one file.
     *
     * @param target the file; its directory must exist
     * @param writer writes the content; whatever it throws is passed on
     * @throws IOException if the content cannot be written, forced or renamed; the target is then
     *     what it was before
     */
    public static void write(Path target, ChannelWriter writer) throws IOException {
        writeTogether(Map.of(target, writer));
    }

    /**
     * Creates or replaces one file through a stream.
     *
     * @param target the file; its directory must exist
     * @param writer writes the content
     * @throws IOException as {@link #write(Path, ChannelWriter)}
     */
    public static void writeStream(Path target, StreamWriter writer) throws IOException {
        write(target, channel -> writer.write(Channels.newOutputStream(channel)));
    }

    /**
     * Creates or replaces one file with a text in UTF-8.
     *
     * @param target the file; its directory must exist
     * @param text the whole content
     * @throws IOException as {@link #write(Path, ChannelWriter)}
     */
    public static void writeString(Path target, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        write(
                target,
                channel -> {
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
    }

    /**
     * Creates or replaces several files: all are written and forced before the first is renamed.
     *
     * <p>Every failure of a writer leaves all targets as they were. Each rename is atomic, the few
     * of them together are not: a kill exactly between two (microseconds) leaves some files new. A
     * directory that must be atomic as a whole is published by {@link AtomicDirectories}.
     *
     * @param writers the targets and their content, written and renamed in the map's order
     * @throws IOException if any content cannot be written, forced or renamed
     */
    public static void writeTogether(Map<Path, ChannelWriter> writers) throws IOException {
        List<StagedFile> staged = new ArrayList<>();
        try {
            for (Map.Entry<Path, ChannelWriter> entry : new LinkedHashMap<>(writers).entrySet()) {
                staged.add(StagedFile.write(entry.getKey(), entry.getValue()));
            }
            for (StagedFile file : staged) {
                file.commit();
            }
        } finally {
            for (StagedFile file : staged) {
                file.close();
            }
        }
    }

    /**
     * Gives a file that was written elsewhere in its file system its final name.
     *
     * <p>The file is forced to the disk first and the target's directory after, so that whoever
     * finds the target finds all of it, also after a power cut.
     *
     * @param written the finished file
     * @param target its final path; a file there is replaced
     * @throws IOException if the file cannot be forced or renamed; the target is then what it was
     */
    public static void rename(Path written, Path target) throws IOException {
        Durability.forceFile(written);
        Files.move(
                written,
                target,
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
        Durability.forceDirectory(TemporaryNames.parent(target));
    }

    /**
     * Removes the temporary files and directories that killed processes left in a directory.
     *
     * <p>Writes sweep for their own target by themselves; this is for targets that are not written
     * again, such as checkpoints of steps that a resumed run skips.
     *
     * @param directory the directory; its subdirectories are not searched
     * @throws IOException if the directory cannot be read or a file not removed
     */
    public static void sweepStale(Path directory) throws IOException {
        TemporaryNames.sweepAll(directory);
    }
}
