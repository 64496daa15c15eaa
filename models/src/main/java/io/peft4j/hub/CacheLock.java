package io.peft4j.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to download one blob, among the threads of this process and among processes.
 *
 * <p>The lock file is {@code huggingface_hub}'s, but its lock is flock's and Java's is fcntl's,
 * which do not see each other on a local Linux disk. So a Python process may fetch the same blob at
 * the same time. That costs time only: both write to files of their own and rename whole ones.
 */
final class CacheLock implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(CacheLock.class);

    // a process must not lock a file twice: closing either channel would free both
    private static final ConcurrentMap<Path, Semaphore> OWN = new ConcurrentHashMap<>();

    private final Semaphore own;
    private final @Nullable FileChannel channel;
    private final boolean exclusive;

    private CacheLock(Semaphore own, @Nullable FileChannel channel, boolean exclusive) {
        this.own = own;
        this.channel = channel;
        this.exclusive = exclusive;
    }

    static CacheLock take(Path file) throws IOException {
        Path folder = Files.createDirectories(file.resolveSibling("")).toRealPath();
        Semaphore own =
                OWN.computeIfAbsent(folder.resolve(file.getFileName()), path -> new Semaphore(1));
        try {
            own.acquire();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for " + file);
        }
        FileChannel channel = null;
        boolean taken = false;
        try {
            channel = open(file);
            boolean exclusive = channel != null && lock(channel, file);
            taken = true;
            return new CacheLock(own, channel, exclusive);
        } finally {
            if (!taken) {
                if (channel != null) {
                    channel.close();
                }
                own.release();
            }
        }
    }

    /** Whether no other Java process is at it; false where the file system knows no locks. */
    boolean isExclusive() {
        return exclusive;
    }

    private static @Nullable FileChannel open(Path file) throws IOException {
        boolean isNew = !Files.exists(file);
        FileChannel channel;
        try {
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (AccessDeniedException e) {
            LOG.info("cannot lock {}: another user's", file);
            return null;
        }
        if (isNew) {
            try { // for the other users of a shared cache, as huggingface_hub does
                Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-r--"));
            } catch (IOException | UnsupportedOperationException e) {
                LOG.debug("permissions of {} stay as they are", file, e);
            }
        }
        return channel;
    }

    private static boolean lock(FileChannel channel, Path file) throws IOException {
        try {
            FileLock lock = channel.tryLock();
            if (lock == null) {
                LOG.info("waiting for another process to fetch {}", file.getFileName());
                lock = channel.lock();
            }
            return lock.isValid();
        } catch (java.nio.channels.FileLockInterruptionException
                | java.nio.channels.ClosedByInterruptException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for " + file);
        } catch (IOException e) {
            LOG.info("{}: this file system has no locks", file, e);
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        try {
            if (channel != null) {
                channel.close();
            }
        } finally {
            own.release();
        }
    }
}
