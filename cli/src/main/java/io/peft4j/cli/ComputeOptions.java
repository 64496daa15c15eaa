package io.peft4j.cli;

import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags about the tokenizer and about where and in what precision to compute. */
final class ComputeOptions {

    @Mixin private PlaceOptions place;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "float32",
            description = "What to compute in; only float32 so far (default: ${DEFAULT-VALUE}).")
    private String dtype;

    /** Checks the flags that need no engine. */
    void check() {
        if (FloatType.parse(dtype) != FloatType.FLOAT32) {
            throw new UsageException(
                    "--dtype "
                            + dtype
                            + ": computing in it is not supported yet; use float32 (merge --dtype"
                            + " writes all three)");
        }
        place.check();
    }

    PlaceOptions place() {
        return place;
    }
}
