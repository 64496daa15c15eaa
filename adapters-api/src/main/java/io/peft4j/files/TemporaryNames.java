package io.peft4j.files;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names temporary files {@code .target.pid-n.tmp} and removes those whose process is gone.
 *
 * <p>A temporary file is stale when no process has its id, when that process started after the file
 * was last written (the id was given out again), or when it is this process and no write of it is
 * under way. Processes that cannot see each other (two containers on one volume) must not write the
 * same target at the same time.
 */
final class TemporaryNames {

    private static final AtomicLong COUNTER = new AtomicLong();
    private static final Set<Path> IN_USE = ConcurrentHashMap.newKeySet();
    private static final long PID = ProcessHandle.current().pid();

    private TemporaryNames() {}

    static Path claim(Path target) {
        String name = "." + fileName(target) + "." + PID + "-" + COUNTER.incrementAndGet() + ".tmp";
        Path temporary = parent(target).resolve(name);
        IN_USE.add(temporary);
        return temporary;
    }

    static void release(Path temporary) {
        IN_USE.remove(temporary);
    }

    static Path parent(Path target) {
        Path parent = target.toAbsolutePath().getParent();
        return parent == null ? target.toAbsolutePath() : parent;
    }

    static String fileName(Path target) {
        Path name = target.getFileName();
        if (name == null) {
            throw new IllegalArgumentException("expected a path with a file name, found " + target);
        }
        return name.toString();
    }

    /** Removes what killed processes left of earlier writes to this target. */
    static void sweep(Path target) throws IOException {
        sweep(parent(target), Pattern.quote(fileName(target)));
    }

    /** Removes what killed processes left of writes to any target in this directory. */
    static void sweepAll(Path directory) throws IOException {
        sweep(directory.toAbsolutePath(), ".+");
    }

    private static void sweep(Path directory, String target) throws IOException {
        Pattern pattern =
                Pattern.compile("\\." + target + "\\.(\\d{1,18})-\\d+\\.tmp", Pattern.DOTALL);
        try (DirectoryStream<Path> siblings = Files.newDirectoryStream(directory)) {
            for (Path sibling : siblings) {
                Matcher matcher = pattern.matcher(fileName(sibling));
                if (matcher.matches() && isStale(sibling, Long.parseLong(matcher.group(1)))) {
                    Trees.delete(sibling);
                }
            }
        }
    }

    private static boolean isStale(Path temporary, long pid) throws IOException {
        if (pid == PID) {
            return !IN_USE.contains(temporary);
        }
        Optional<ProcessHandle> process = ProcessHandle.of(pid).filter(ProcessHandle::isAlive);
        if (process.isEmpty()) {
            return true;
        }
        Optional<Instant> started = process.get().info().startInstant();
        try {
            Instant written = Files.getLastModifiedTime(temporary).toInstant();
            // start times come in clock ticks and seconds since boot: leave some slack
            return started.isPresent() && written.isBefore(started.get().minusSeconds(10));
        } catch (NoSuchFileException e) {
            return false;
        }
    }
}
