package io.peft4j.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;

/** The floating-point types that weights can have, by libtorch's names and numbers. */
public enum ScalarType {
    /** IEEE 754 binary16. */
    FLOAT16(5, 2),
    /** IEEE 754 binary32. */
    FLOAT32(6, 4),
    /** IEEE 754 binary64. */
    FLOAT64(7, 8),
    /** The upper half of an IEEE 754 binary32, which DJL does not know; see {@link BFloat16}. */
    BFLOAT16(15, 2);

    private final long code;
    private final int bytes;

    ScalarType(long code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /**
     * Returns an array's type.
     *
     * @param array any array
     * @return its type
     * @throws UnsupportedDtypeException if it has none of these
     */
    public static ScalarType of(NDArray array) {
        DataType type = array.getDataType();
        return switch (type) {
            case FLOAT16 -> FLOAT16;
            case FLOAT32 -> FLOAT32;
            case FLOAT64 -> FLOAT64;
            default -> {
                if (BFloat16.isBFloat16(array)) {
                    yield BFLOAT16;
                }
                throw new UnsupportedDtypeException(
                        "expected a floating-point array, found "
                                + type.name()
                                + " "
                                + array.getShape());
            }
        };
    }

    /**
     * Returns the size of one element.
     *
     * @return bytes
     */
    public int bytes() {
        return bytes;
    }

    /** Returns what TorchScript calls the type. */
    long code() {
        return code;
    }
}
