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

    static FloatType parse(String text) {
        for (FloatType type : values()) {
            if (type.stored.torchName().equals(text)) {
                return type;
            }
        }
        throw new UsageException(
                "--dtype must be float32, bfloat16 or float16, but is \"" + text + "\"");
    }

    Dtype stored() {
        return stored;
    }
}
