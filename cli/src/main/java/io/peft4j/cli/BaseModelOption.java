package io.peft4j.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The flag that every command but inspect and compare requires. */
final class BaseModelOption {

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "The base model, in Hugging Face's layout.")
    private Path directory;

    Path directory() {
        return directory;
    }

    void check() {
        Checks.directory("--model", directory);
    }
}
