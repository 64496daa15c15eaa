package io.peft4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Keeps commands from writing over what is there. */
final class OutputDirectory {

    /** Files that show that a directory holds a run, an adapter or a model. */
    private static final List<String> TAKEN =
            List.of(
                    "adapter_config.json",
                    "adapter_model.safetensors",
                    "config.json",
                    "model.safetensors",
                    "model.safetensors.index.json",
                    "metrics.jsonl",
                    "checkpoints",
                    "iteration-1");

    private OutputDirectory() {}

    /** Refuses a directory that a run, an adapter or a model is in already. */
    static void requireNoRun(Path output, String remedy) {
        requireDirectoryOrNothing(output);
        for (String name : TAKEN) {
            if (Files.exists(output.resolve(name))) {
                throw new UsageException(
                        "--output " + output + " already holds " + name + "; " + remedy);
            }
        }
    }

    /** Refuses a directory that has anything in it. */
    static void requireEmpty(Path output) {
        requireDirectoryOrNothing(output);
        if (Files.isDirectory(output)) {
            try (Stream<Path> entries = Files.list(output)) {
                if (entries.findAny().isPresent()) {
                    throw new UsageException(
                            "--output "
                                    + output
                                    + " is not empty; choose a new directory or empty it");
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static void requireDirectoryOrNothing(Path output) {
        if (Files.exists(output) && !Files.isDirectory(output)) {
            throw new UsageException("--output: expected a directory, found a file: " + output);
        }
    }
}
