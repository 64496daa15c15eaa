package io.peft4j.cli;

import java.util.Locale;

/** The floating-point types that {@code --dtype} names. */
enum FloatType {
    FLOAT32,
    BFLOAT16,
    FLOAT16;

    static FloatType parse(String text) {
        for (FloatType type : values()) {
            if (type.toString().equals(text)) {
                return type;
            }
        }
        throw new UsageException(
                "--dtype must be float32, bfloat16 or float16, but is \"" + text + "\"");
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
