package io.peft4j.safetensors;

import java.nio.ByteBuffer;

/** Moves elements between little-endian bytes and Java arrays. */
final class ElementCodec {

    private ElementCodec() {}

    /** Decodes {@code count} elements of a floating-point type; advances the buffer. */
    static void decodeFloats(Dtype dtype, ByteBuffer bytes, float[] target, int from, int count) {
        int size = dtype.bytes();
        int at = bytes.position();
        switch (dtype) {
            case F32 -> bytes.asFloatBuffer().get(target, from, count);
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    target[from + i] = (float) bytes.getDouble(at + i * size);
                }
            }
            case BF16 -> {
                short[] halves = halves(bytes, count);
                for (int i = 0; i < count; i++) {
                    target[from + i] = FloatFormats.bfloat16ToFloat(halves[i]);
                }
            }
            case F16 -> {
                short[] halves = halves(bytes, count);
                for (int i = 0; i < count; i++) {
                    target[from + i] = FloatFormats.float16ToFloat(halves[i]);
                }
            }
            default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
        }
        bytes.position(at + count * size);
    }

    // a bulk copy and a loop over an array: several times faster than asking the buffer each time
    private static short[] halves(ByteBuffer bytes, int count) {
        short[] halves = new short[count];
        bytes.asShortBuffer().get(halves);
        return halves;
    }

    /** Decodes {@code count} elements of an integer type or BOOL; advances the buffer. */
    static void decodeLongs(Dtype dtype, ByteBuffer bytes, long[] target, int from, int count) {
        for (int i = from; i < from + count; i++) {
            target[i] =
                    switch (dtype) {
                        case I64 -> bytes.getLong();
                        case I32 -> bytes.getInt();
                        case I16 -> bytes.getShort();
                        case I8 -> bytes.get();
                        case U8, BOOL -> Byte.toUnsignedLong(bytes.get());
                        default ->
                                throw new IllegalArgumentException("not an integer type: " + dtype);
                    };
        }
    }

    static void encodeFloat(Dtype dtype, float value, ByteBuffer bytes) {
        switch (dtype) {
            case F64 -> bytes.putDouble(value);
            case F32 -> bytes.putFloat(value);
            case BF16 -> bytes.putShort(FloatFormats.floatToBfloat16(value));
            case F16 -> bytes.putShort(FloatFormats.floatToFloat16(value));
            default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
        }
    }

    static void encodeLong(Dtype dtype, long value, ByteBuffer bytes) {
        switch (dtype) {
            case I64 -> bytes.putLong(value);
            case I32 -> bytes.putInt(Math.toIntExact(value));
            case I16, I8, U8, BOOL -> {
                long low =
                        dtype == Dtype.I16
                                ? Short.MIN_VALUE
                                : dtype == Dtype.I8 ? Byte.MIN_VALUE : 0;
                long high = dtype == Dtype.BOOL ? 1 : dtype == Dtype.U8 ? 255 : -low - 1;
                if (value < low || value > high) {
                    throw new ArithmeticException(
                            "expected "
                                    + low
                                    + " to "
                                    + high
                                    + " for "
                                    + dtype
                                    + ", found "
                                    + value);
                }
                if (dtype == Dtype.I16) {
                    bytes.putShort((short) value);
                } else {
                    bytes.put((byte) value);
                }
            }
            default -> throw new IllegalArgumentException("not an integer type: " + dtype);
        }
    }
}
