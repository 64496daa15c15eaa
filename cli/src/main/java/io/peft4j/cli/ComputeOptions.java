package io.peft4j.cli;

import ai.djl.Device;
import io.peft4j.safetensors.Dtype;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Flags about the tokenizer and about where and in what precision to compute. */
final class ComputeOptions {

    private static final String AUTO = "auto";

    @Mixin private PlaceOptions place;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = AUTO,
            description =
                    "What to keep the base model in and to compute in: float32, bfloat16, float16,"
                            + " or auto, which is bfloat16 on a GPU for a checkpoint in bfloat16,"
                            + " else float32: the exact results; bfloat16 takes half the memory."
                            + " Adapters are float32 always (default: ${DEFAULT-VALUE}).")
    private String dtype;

    /** Checks the flags that need no engine. */
    void check() {
        given();
        place.check();
    }

    /** Refuses a type in which the base itself cannot be trained. */
    void requireFloat32(String why) {
        FloatType type = given();
        if (type != null && type != FloatType.FLOAT32) {
            throw new UsageException("--dtype " + dtype + " cannot be given: " + why);
        }
        dtype = FloatType.FLOAT32.stored().torchName();
    }

    private @Nullable FloatType given() {
        return dtype.equals(AUTO) ? null : FloatType.parse(dtype, AUTO);
    }

    PlaceOptions place() {
        return place;
    }

    /**
     * Chooses what to compute in.
     *
     * @param stored the type of the checkpoint
     */
    Dtype choose(Dtype stored) {
        FloatType type = given();
        return type == null ? automatic(stored, place.device()) : type.stored();
    }

    static Dtype automatic(Dtype stored, Device device) {
        return device.isGpu() && stored == Dtype.BF16 ? Dtype.BF16 : Dtype.F32;
    }
}
