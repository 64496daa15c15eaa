package io.peft4j.cli;

import ai.djl.Device;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about the tokenizer and about where to compute. */
final class PlaceOptions {

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR|FILE",
            description =
                    "A tokenizer.json, or the directory that has it, for a model that ships none.")
    private @Nullable Path tokenizer;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "cpu",
            description = "cpu, gpu or gpuN (default: ${DEFAULT-VALUE}).")
    private String device;

    /** Checks the flags that need no engine. */
    void check() {
        Devices.checkName(device);
        if (tokenizer != null) {
            Checks.exists("--tokenizer", tokenizer);
        }
    }

    @Nullable Path tokenizer() {
        return tokenizer;
    }

    Device device() {
        return Devices.parse(device);
    }
}
