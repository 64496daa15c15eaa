package io.peft4j.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256, as 64 lower-case hexadecimal digits. */
public final class Sha256 {

    private static final int CHUNK = 1 << 16;

    private Sha256() {}

    /**
     * Starts a hash.
     *
     * @return a digest without input
     */
    public static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /**
     * Ends a hash.
     *
     * @param digest a digest with all of its input
     * @return the hash
     */
    public static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /**
     * Hashes a file.
     *
     * @param file the file
     * @return the hash of its bytes
     * @throws IOException if it cannot be read
     */
    public static String of(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return of(channel);
        }
    }

    /**
     * Hashes a file that is open.
     *
     * @param channel open for reading; its position stays
     * @return the hash of all of its bytes
     * @throws IOException if it cannot be read
     */
    public static String of(FileChannel channel) throws IOException {
        MessageDigest digest = digest();
        ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
        long at = 0;
        while (channel.read(chunk, at) > 0) {
            at += chunk.position();
            digest.update(chunk.flip());
            chunk.clear();
        }
        return hex(digest);
    }
}
