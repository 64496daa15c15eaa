package io.peft4j.safetensors;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The element types this library reads and writes, in the order of the reference implementation:
 * files hold the tensors of the last type first.
 */
public enum Dtype {
    /** One byte, 0 or 1. */
    BOOL(1),
    /** Unsigned 8-bit integer. */
    U8(1),
    /** Signed 8-bit integer. */
    I8(1),
    /** Signed 16-bit integer. */
    I16(2),
    /** IEEE 754 binary16. */
    F16(2),
    /** The upper half of an IEEE 754 binary32. */
    BF16(2),
    /** Signed 32-bit integer. */
    I32(4),
    /** IEEE 754 binary32. */
    F32(4),
    /** IEEE 754 binary64. */
    F64(8),
    /** Signed 64-bit integer. */
    I64(8);

    private final int bytes;

    Dtype(int bytes) {
        this.bytes = bytes;
    }

    /**
     * Returns the size of one element.
     *
     * @return bytes
     */
    public int bytes() {
        return bytes;
    }

    /**
     * Tells whether elements are floating-point numbers.
     *
     * @return true for F64, F32, F16 and BF16
     */
    public boolean isFloat() {
        return this == F64 || this == F32 || this == F16 || this == BF16;
    }

    /**
     * Returns torch's name for this type, as {@code config.json} uses it.
     *
     * @return such as {@code "bfloat16"}
     */
    public String torchName() {
        return switch (this) {
            case F64, F32, F16 -> "float" + 8 * bytes;
            case BF16 -> "bfloat16";
            case U8 -> "uint8";
            case BOOL -> "bool";
            default -> "int" + name().substring(1).toLowerCase(Locale.ROOT);
        };
    }

    static @Nullable Dtype ofNullable(String name) {
        for (Dtype dtype : values()) {
            if (dtype.name().equals(name)) {
                return dtype;
            }
        }
        return null;
    }
}
