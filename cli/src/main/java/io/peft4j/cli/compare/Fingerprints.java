package io.peft4j.cli.compare;

import io.peft4j.files.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.stream.Stream;

/** Hashes by which a resumed experiment knows that nothing has changed under it. */
public final class Fingerprints {

    private Fingerprints() {}

    /**
     * Hashes what a base model or an adapter computes with: its config and its weights, name by
     * name.
     *
     * @param model a directory in Hugging Face's layout, or in PEFT's
     * @return 64 hexadecimal digits
     * @throws IOException if a file cannot be read
     */
    public static String ofModel(Path model) throws IOException {
        MessageDigest digest = Sha256.digest();
        List<Path> files;
        try (Stream<Path> entries = Files.list(model)) {
            files = entries.filter(Fingerprints::counts).sorted().toList();
        }
        for (Path file : files) {
            digest.update(
                    (file.getFileName() + " " + Sha256.of(file) + "\n")
                            .getBytes(StandardCharsets.UTF_8));
        }
        return Sha256.hex(digest);
    }

    private static boolean counts(Path file) {
        String name = String.valueOf(file.getFileName());
        return Files.isRegularFile(file)
                && (name.equals("config.json")
                        || name.equals("adapter_config.json")
                        || name.endsWith(".safetensors"));
    }

    static String of(String text) {
        MessageDigest digest = Sha256.digest();
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        return Sha256.hex(digest);
    }
}
