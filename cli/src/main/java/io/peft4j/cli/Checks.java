package io.peft4j.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Checks of flag values; a message names the flag, what it takes and what it got. */
final class Checks {

    private Checks() {}

    static void atLeast(String flag, long value, long least) {
        if (value < least) {
            throw new UsageException(flag + " must be at least " + least + ", but is " + value);
        }
    }

    static void optionalAtLeast(String flag, @Nullable Integer value, long least) {
        if (value != null) {
            atLeast(flag, value, least);
        }
    }

    static void between(String flag, long value, long least, long most) {
        if (value < least || value > most) {
            throw new UsageException(
                    flag + " must be from " + least + " to " + most + ", but is " + value);
        }
    }

    /** Refuses negative numbers, infinities and NaN. */
    static void notNegative(String flag, double value) {
        if (!(value >= 0) || Double.isInfinite(value)) {
            throw new UsageException(flag + " must be a number from 0 up, but is " + value);
        }
    }

    static void exists(String flag, Path path) {
        if (!Files.exists(path)) {
            throw new UsageException(flag + ": no such file or directory: " + path);
        }
    }

    static void directory(String flag, Path path) {
        if (!Files.exists(path)) {
            throw new UsageException(flag + ": no such directory: " + path);
        }
        if (!Files.isDirectory(path)) {
            throw new UsageException(flag + ": expected a directory, found a file: " + path);
        }
    }

    static void file(String flag, Path path) {
        if (!Files.exists(path)) {
            throw new UsageException(flag + ": no such file: " + path);
        }
        if (Files.isDirectory(path)) {
            throw new UsageException(flag + ": expected a file, found a directory: " + path);
        }
    }

    static void distinct(String flag, List<?> values) {
        if (values.isEmpty() || Set.copyOf(values).size() < values.size()) {
            throw new UsageException(
                    flag + " must name each value once and one at least, but is " + values);
        }
    }
}
