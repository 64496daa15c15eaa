package io.peft4j.tuning;

import io.peft4j.files.Sha256;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.List;

/** The SHA-256 of examples: of what is trained on, whatever file it came from. */
public final class DataFingerprint {

    private DataFingerprint() {}

    /**
     * Hashes examples.
     *
     * @param examples the rows, in their order
     * @return 64 hexadecimal digits: what a checkpoint and a provenance call {@code data_sha256}
     */
    public static String of(List<Example> examples) {
        MessageDigest digest = Sha256.digest();
        for (Example example : examples) {
            ByteBuffer bytes =
                    ByteBuffer.allocate(Long.BYTES * (1 + 2 * example.length()))
                            .order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong(example.length());
            bytes.asLongBuffer().put(example.ids()).put(example.labels());
            digest.update(bytes.array());
        }
        return Sha256.hex(digest);
    }
}
