package io.peft4j.hub;

import io.peft4j.files.AtomicFiles;
import io.peft4j.files.SafePaths;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One repository in the cache, in the layout of {@code huggingface_hub}:
 *
 * <pre>
 * hub/models--org--name/blobs/HASH                    the bytes
 * hub/models--org--name/refs/main                     the commit that main meant last
 * hub/models--org--name/snapshots/COMMIT/config.json  a relative link to a blob
 * hub/.locks/models--org--name/HASH.lock
 * </pre>
 *
 * Where links cannot be made the file itself lies in the snapshot and there is no blob.
 */
final class HubCache {

    private static final Logger LOG = LoggerFactory.getLogger(HubCache.class);

    private static final Pattern COMMIT = Pattern.compile("[0-9A-Za-z]{7,64}");
    private static final String TAG =
            """
            Signature: 8a477f597d28d172789f06886806bc55
            # This directory is a cache: backups may leave it out.
            # See https://bford.info/cachedir/
            """;

    private final Path root;
    private final Path folder;
    private final HubRepository repository;
    private final boolean links;

    HubCache(Path root, HubRepository repository, boolean links) {
        this.root = root;
        this.repository = repository;
        this.links = links;
        folder = root.resolve(repository.folder());
    }

    Path root() {
        return root;
    }

    Path snapshot(String commit) {
        return folder.resolve("snapshots").resolve(commit);
    }

    Path blobs() {
        return folder.resolve("blobs");
    }

    Path blob(String etag) {
        return blobs().resolve(etag);
    }

    /** A file that is not yet a blob; its name ends as huggingface_hub's do. */
    Path incomplete(String etag, String kind) {
        // not ETAG.incomplete: older versions of huggingface_hub append to that
        return blobs().resolve(etag + "." + kind + ".incomplete");
    }

    CacheLock lock(String etag) throws IOException {
        return CacheLock.take(
                root.resolve(".locks").resolve(repository.folder()).resolve(etag + ".lock"));
    }

    void prepare() throws IOException {
        Files.createDirectories(blobs());
        Path tag = root.resolve("CACHEDIR.TAG");
        if (!Files.exists(tag)) {
            AtomicFiles.writeString(tag, TAG);
        }
    }

    /** The commit that the revision means, as far as the cache knows. */
    Optional<String> commit() throws IOException {
        if (repository.isCommit()) {
            return Optional.of(repository.revision());
        }
        try {
            // without a line's end, which huggingface_hub would take for a part of it
            String commit = Files.readString(reference()).strip();
            return Optional.of(commit).filter(text -> COMMIT.matcher(text).matches());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    void remember(String commit) throws IOException {
        if (!repository.isCommit() && !commit().equals(Optional.of(commit))) {
            Path reference = reference();
            Files.createDirectories(reference.getParent());
            AtomicFiles.writeString(reference, commit);
        }
    }

    private Path reference() throws IOException {
        return SafePaths.resolve(folder.resolve("refs"), repository.revision());
    }

    /**
     * Puts a blob into a snapshot.
     *
     * @param etag the blob
     * @param file the path in the snapshot
     * @param isNew whether no other snapshot can have it
     */
    void link(String etag, Path file, boolean isNew) throws IOException {
        Path folderOfFile = Files.createDirectories(file.resolveSibling(""));
        Path blob = blob(etag);
        Path temporary = sibling(file);
        try {
            if (links && makeLink(temporary, folderOfFile.relativize(blob))) {
                Files.move(
                        temporary,
                        file,
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING);
                return;
            }
            if (!isNew) {
                Files.copy(blob, temporary, StandardCopyOption.REPLACE_EXISTING);
            }
            AtomicFiles.rename(isNew ? blob : temporary, file);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static boolean makeLink(Path link, Path target) {
        try {
            Files.createSymbolicLink(link, target);
            return true;
        } catch (UnsupportedOperationException | FileSystemException e) {
            LOG.info("{}: no symbolic links here, so files are kept once per commit", link);
            return false;
        } catch (IOException e) {
            return false;
        }
    }

    private static Path sibling(Path file) {
        return file.resolveSibling(
                "."
                        + file.getFileName()
                        + "."
                        + Long.toHexString(ThreadLocalRandom.current().nextLong())
                        + ".tmp");
    }

    /** Whether a blob of this size is there; one of another size is no blob. */
    boolean hasBlob(RemoteFile remote) throws IOException {
        Path blob = blob(remote.etag());
        if (!Files.isRegularFile(blob)) {
            return false;
        }
        long found = Files.size(blob);
        if (found != remote.size()) {
            LOG.warn("{}: expected {} bytes, found {}; fetched again", blob, remote.size(), found);
            return false;
        }
        return true;
    }

    static boolean isThere(Path file) {
        return Files.isRegularFile(file);
    }
}
