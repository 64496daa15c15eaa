package io.peft4j.cli;

import io.peft4j.hub.Hub;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;

/**
 * A model or adapter that a flag names: a directory, or else a repository of the hub.
 *
 * @param name the directory, or {@code org/name} or {@code org/name@revision}
 */
record Source(String name) {

    /** For picocli. */
    static final class Converter implements ITypeConverter<Source> {

        @Override
        public Source convert(String value) {
            try {
                return Hub.isRepositoryName(value) ? new Source(value) : of(Path.of(value));
            } catch (InvalidPathException e) {
                throw new UsageException("no such directory: " + value, e);
            }
        }
    }

    static Source of(Path directory) {
        return new Source(directory.toString());
    }

    /** Refuses what is neither; whether the hub has it is asked when it is needed. */
    void check(String flag) {
        if (isDirectory()) {
            return;
        }
        if (!Hub.isRepositoryName(name) || Files.exists(Path.of(name))) {
            Checks.directory(flag, Path.of(name));
        }
    }

    Path fetchModel(PrintWriter err) throws IOException {
        return isDirectory() ? Path.of(name) : hub(err).fetchModel(name);
    }

    /** Config and tokenizer alone. */
    Path fetchDescription(PrintWriter err) throws IOException {
        return isDirectory() ? Path.of(name) : hub(err).fetchDescription(name);
    }

    Path fetchAdapter(PrintWriter err) throws IOException {
        return isDirectory() ? Path.of(name) : hub(err).fetchAdapter(name);
    }

    /** For a command that takes either. */
    Path fetch(PrintWriter err) throws IOException {
        return isDirectory() ? Path.of(name) : hub(err).fetch(name);
    }

    private boolean isDirectory() {
        return Files.isDirectory(Path.of(name));
    }

    private static Hub hub(PrintWriter err) throws IOException {
        try {
            return Hub.builder().optProgress(FetchProgress.to(err)).build();
        } catch (IllegalArgumentException e) { // of an environment variable
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }
}
