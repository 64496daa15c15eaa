package io.peft4j.tuning;

import io.peft4j.adapters.Adapter;
import io.peft4j.files.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.TreeMap;

/** The SHA-256 of what an adapter is now, by name and value of its parameters. */
public final class AdapterFingerprint {

    private AdapterFingerprint() {}

    /**
     * Hashes an adapter.
     *
     * @param adapter the adapter
     * @return 64 hexadecimal digits
     */
    public static String of(Adapter adapter) {
        MessageDigest digest = Sha256.digest();
        new TreeMap<>(adapter.parameters())
                .forEach(
                        (name, parameter) -> {
                            digest.update(name.getBytes(StandardCharsets.UTF_8));
                            digest.update(parameter.getArray().toByteBuffer());
                        });
        return Sha256.hex(digest);
    }
}
