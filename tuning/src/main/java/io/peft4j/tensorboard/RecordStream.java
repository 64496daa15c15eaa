package io.peft4j.tensorboard;

import java.io.IOException;
import java.io.OutputStream;
import java.util.zip.CRC32C;

/**
 * TensorFlow's record format: for each record its length (8 bytes, little-endian), the length's
 * checksum (4), the record, and its checksum (4). A checksum is a CRC-32C, turned and shifted so
 * that one of data with checksums in it is of use.
 */
final class RecordStream {

    private static final int MASK_DELTA = 0xa282ead8;

    private final OutputStream out;

    RecordStream(OutputStream out) {
        this.out = out;
    }

    void write(byte[] record) throws IOException {
        byte[] length = Message.littleEndian(Long.BYTES).putLong(record.length).array();
        out.write(length);
        out.write(checksum(length));
        out.write(record);
        out.write(checksum(record));
    }

    private static byte[] checksum(byte[] data) {
        CRC32C crc = new CRC32C();
        crc.update(data);
        int masked = Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
        return Message.littleEndian(Integer.BYTES).putInt(masked).array();
    }
}
