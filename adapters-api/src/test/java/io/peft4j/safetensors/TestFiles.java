package io.peft4j.safetensors;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Builds safetensors files byte by byte, right or wrong. */
final class TestFiles {

    /** A valid header of two tensors, 8 + 12 bytes of data. */
    static final String TWO_TENSORS =
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                    + "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]}}";

    private TestFiles() {}

    static byte[] file(String header, int dataBytes) {
        return file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    static byte[] file(byte[] header, int dataBytes) {
        return file(header.length, header, dataBytes);
    }

    static byte[] file(long claimedLength, byte[] header, int dataBytes) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(
                ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(claimedLength)
                        .array());
        bytes.writeBytes(header);
        bytes.writeBytes(new byte[dataBytes]);
        return bytes.toByteArray();
    }

    /** A header of one tensor named "a" with these JSON values. */
    static String one(String dtype, String shape, String offsets) {
        return "{\"a\":{\"dtype\":"
                + dtype
                + ",\"shape\":"
                + shape
                + ",\"data_offsets\":"
                + offsets
                + "}}";
    }
}
