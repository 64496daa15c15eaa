package io.peft4j.files;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Publishes a directory of files in one step: whoever finds the directory finds all of it.
 *
 * <p>The files are written into a hidden sibling ({@code .name.pid-n.tmp}); all of them are forced
 * to the disk; a file {@value CompleteFile#NAME} with every name, size and SHA-256 is written last;
 * the sibling is renamed; its parent is forced. A reader that sees {@value CompleteFile#NAME} agree
 * with the files ({@link #isComplete}, {@link #verify}) knows that nothing is missing, also after a
 * copy.
 */
public final class AtomicDirectories {

    private AtomicDirectories() {}

    /** Writes the files of a directory. */
    @FunctionalInterface
    public interface DirectoryWriter {
        /**
         * Writes files, also into subdirectories.
         *
         * @param directory an empty directory, not yet under its final name
         * @throws IOException if writing fails; nothing is published
         */
        void write(Path directory) throws IOException;
    }

    /**
     * Publishes a new directory.
     *
     * @param target the directory's final path; it must not exist, or be an empty directory
     * @param writer writes the files
     * @throws FileAlreadyExistsException if the target exists and is not an empty directory
     * @throws IOException if anything cannot be written; the target is then as it was
     */
    public static void publish(Path target, DirectoryWriter writer) throws IOException {
        refuseExisting(target);
        TemporaryNames.sweep(target);
        Path temporary = TemporaryNames.claim(target);
        try {
            Files.createDirectory(temporary);
            writer.write(temporary);
            CompleteFile.write(temporary);
            refuseExisting(target);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
            Durability.forceDirectory(TemporaryNames.parent(target));
        } finally {
            try {
                Trees.delete(temporary);
            } finally {
                TemporaryNames.release(temporary);
            }
        }
    }

    /**
     * Tells quickly whether a directory was published whole: {@value CompleteFile#NAME} is there
     * and every file it lists has its size.
     *
     * @param directory the directory
     * @return false if it is missing, unfinished or cut
     */
    public static boolean isComplete(Path directory) {
        try {
            CompleteFile.check(directory, false);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Reads every file of a published directory and compares it with its SHA-256.
     *
     * @param directory the directory
     * @throws IncompleteDirectoryException if a file is missing, cut or changed; the message names
     *     it with what was expected and found
     * @throws IOException if a file cannot be read
     */
    public static void verify(Path directory) throws IOException {
        CompleteFile.check(directory, true);
    }

    private static void refuseExisting(Path target) throws IOException {
        if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
            try (var entries = Files.newDirectoryStream(target)) {
                if (!entries.iterator().hasNext()) {
                    return;
                }
            }
        }
        throw new FileAlreadyExistsException(
                target.toString(), null, "expected no such directory, or an empty one");
    }
}
