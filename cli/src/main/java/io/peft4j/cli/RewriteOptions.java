package io.peft4j.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Flags of what reads an adapter and writes a new directory. */
final class RewriteOptions {

    @Option(
            names = "--adapter",
            required = true,
            paramLabel = "DIR|REPO",
            converter = Source.Converter.class,
            description = "An adapter in PEFT's format: a directory, or org/name of the hub.")
    private Source adapter;

    @Option(
            names = "--output",
            required = true,
            paramLabel = "DIR",
            description = "The directory to write; it must be new or empty.")
    private Path output;

    /** Checks both before anything is loaded. */
    void check() {
        adapter.check("--adapter");
        OutputDirectory.requireEmpty(output);
    }

    Source adapter() {
        return adapter;
    }

    Path output() {
        return output;
    }
}
