package io.peft4j.safetensors;

/**
 * Converts between float and the two 16-bit floating-point formats.
 *
 * <p>Widening is exact. Narrowing rounds to the nearest value, ties to the even one; what exceeds
 * the largest finite value by half a step or more becomes infinite; subnormal numbers stay. A NaN
 * keeps its sign and the upper bits of its payload.
 */
public final class FloatFormats {

    private FloatFormats() {}

    /**
     * Widens a bfloat16.
     *
     * @param bits the 16 bits
     * @return the same number
     */
    public static float bfloat16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /**
     * Rounds to bfloat16.
     *
     * @param value any float
     * @return the nearest bfloat16's 16 bits
     */
    public static short floatToBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if ((bits & 0x7fffffff) > 0x7f800000) {
            int high = bits >>> 16;
            return (short) ((high & 0x7f) == 0 ? high | 0x40 : high);
        }
        // the carry runs from the mantissa into the exponent, and from the largest into infinity
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }

    /**
     * Widens a float16.
     *
     * @param bits the 16 bits
     * @return the same number
     */
    public static float float16ToFloat(short bits) {
        int sign = (bits & 0x8000) << 16;
        int exponent = (bits >>> 10) & 0x1f;
        int mantissa = bits & 0x3ff;
        if (exponent == 0x1f) {
            return Float.intBitsToFloat(sign | 0x7f800000 | mantissa << 13);
        }
        if (exponent != 0) {
            return Float.intBitsToFloat(sign | (exponent + 112) << 23 | mantissa << 13);
        }
        float magnitude = mantissa * 0x1p-24f;
        return sign == 0 ? magnitude : -magnitude;
    }

    /**
     * Rounds to float16.
     *
     * @param value any float
     * @return the nearest float16's 16 bits
     */
    public static short floatToFloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        int sign = (bits >>> 16) & 0x8000;
        int magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000) {
            int payload = (magnitude >>> 13) & 0x3ff;
            return (short) (sign | 0x7c00 | (payload == 0 ? 0x200 : payload));
        }
        if (magnitude >= 0x47800000) { // 65536 and above
            return (short) (sign | 0x7c00);
        }
        if (magnitude < 0x38800000) { // below 2^-14: subnormal or zero
            // adding 0.5 puts the last place at 2^-24, so the float addition itself rounds to even
            int rounded = Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 0.5f);
            return (short) (sign | (rounded - 0x3f000000));
        }
        int rebased = magnitude - (112 << 23);
        return (short) (sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13));
    }
}
