package io.peft4j.cli.compare;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;

/** Keeps two processes from training into one directory; the system opens it when they end. */
public final class RunLock implements AutoCloseable {

    static final String NAME = ".lock";
    private static final long PAUSE_MILLIS = 100;

    private final FileChannel channel;

    private RunLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Waits for a directory to be free and takes it.
     *
     * @param directory the directory, which is made if it is not there
     * @param patience how long to wait for another process that has it
     * @return the lock, to be closed
     * @throws IOException if the lock's file cannot be made
     * @throws ExperimentException if the other process keeps it
     */
    public static RunLock take(Path directory, Duration patience) throws IOException {
        Files.createDirectories(directory);
        long end = System.nanoTime() + patience.toNanos();
        while (true) {
            Optional<RunLock> lock = tryTake(directory.resolve(NAME));
            if (lock.isPresent()) {
                return lock.get();
            }
            if (System.nanoTime() >= end) {
                throw new ExperimentException(
                        directory
                                + " is being written by another process; wait until it has ended");
            }
            pause();
        }
    }

    private static Optional<RunLock> tryTake(Path file) throws IOException {
        FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return Optional.of(new RunLock(channel));
            }
        } catch (OverlappingFileLockException e) {
            // this process has it already
        }
        channel.close();
        return Optional.empty();
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new java.io.InterruptedIOException("interrupted");
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
