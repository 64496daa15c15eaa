package io.peft4j.cli;

import io.peft4j.safetensors.Dtype;

/** The floating-point types that {@code --dtype} names. */
enum FloatType {
    FLOAT32(Dtype.F32),
    BFLOAT16(Dtype.BF16),
    FLOAT16(Dtype.F16);

    private final Dtype stored;

    FloatType(Dtype stored) {
        this.stored = stored;
    }

    /**
     * Reads a type.
     *
     * @param text what was given
     * @param others what else the flag takes
     */
    static FloatType parse(String text, String... others) {
        for (FloatType type : values()) {
            if (type.stored.torchName().equals(text)) {
                return type;
            }
        }
        String more = others.length == 0 ? " or float16" : ", float16 or " + others[0];
        throw new UsageException(
                "--dtype must be float32, bfloat16" + more + ", but is \"" + text + "\"");
    }

    Dtype stored() {
        return stored;
    }
}
