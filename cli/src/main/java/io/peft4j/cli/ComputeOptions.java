package io.peft4j.cli;

import ai.djl.Device;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about the tokenizer and about where and in what precision to compute. */
final class ComputeOptions {

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

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "float32",
            description = "What to compute in; only float32 so far (default: ${DEFAULT-VALUE}).")
    private String dtype;

    /** Checks the flags that need no file. */
    void check() {
        if (FloatType.parse(dtype) != FloatType.FLOAT32) {
            throw new UsageException(
                    "--dtype "
                            + dtype
                            + ": computing in it is not supported yet; use float32 (merge --dtype"
                            + " writes all three)");
        }
        requireTokenizerExists(tokenizer);
    }

    static void requireTokenizerExists(@Nullable Path tokenizer) {
        if (tokenizer != null && !Files.exists(tokenizer)) {
            throw new UsageException("--tokenizer: no such file or directory: " + tokenizer);
        }
    }

    @Nullable Path tokenizer() {
        return tokenizer;
    }

    Device device() {
        return Devices.parse(device);
    }
}
