package io.peft4j.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares a file with the hash that names it: SHA-256 for files in large file storage, git's SHA-1
 * of {@code "blob SIZE\0"} and the bytes for the others.
 */
final class BlobHash {

    private static final Logger LOG = LoggerFactory.getLogger(BlobHash.class);

    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern SHA1 = Pattern.compile("[0-9a-f]{40}");

    private BlobHash() {}

    /**
     * Reads a file and compares.
     *
     * @param file the file
     * @param etag the hash; something else than a hash, which a mirror may give, is not compared
     * @return whether the file is what the hash says
     */
    static boolean matches(Path file, String etag) throws IOException {
        List<MessageDigest> digests = new ArrayList<>();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (SHA256.matcher(etag).matches()) {
                digests.add(digest("SHA-256"));
            } else if (SHA1.matcher(etag).matches()) {
                MessageDigest git = digest("SHA-1");
                git.update(("blob " + channel.size() + "\0").getBytes(StandardCharsets.US_ASCII));
                digests.add(git);
                digests.add(digest("SHA-1")); // of the bytes alone, as a mirror may do
            } else {
                LOG.warn("{} has no hash but \"{}\": only its size was checked", file, etag);
                return true;
            }
            ByteBuffer buffer = ByteBuffer.allocate(1 << 18);
            while (channel.read(buffer) >= 0) {
                for (MessageDigest digest : digests) {
                    digest.update(buffer.array(), 0, buffer.position());
                }
                buffer.clear();
            }
        }
        return digests.stream()
                .anyMatch(digest -> HexFormat.of().formatHex(digest.digest()).equals(etag));
    }

    private static MessageDigest digest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has " + algorithm, e);
        }
    }
}
