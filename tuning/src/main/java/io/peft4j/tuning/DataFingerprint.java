package io.peft4j.tuning;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** The SHA-256 of examples: of what is trained on, whatever file it came from. */
final class DataFingerprint {

    private DataFingerprint() {}

    static String of(List<Example> examples) {
        MessageDigest digest = sha256();
        for (Example example : examples) {
            ByteBuffer bytes =
                    ByteBuffer.allocate(Long.BYTES * (1 + 2 * example.length()))
                            .order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong(example.length());
            bytes.asLongBuffer().put(example.ids()).put(example.labels());
            digest.update(bytes.array());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
