package io.peft4j.cli.pipeline;

import io.peft4j.files.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * SHA-256 of what stages read and write. Of a directory those files count that a model, an adapter
 * or a data set consists of, and neither logs nor checkpoints.
 */
final class ContentHash {

    private static final Set<String> DESCRIPTIONS =
            Set.of(
                    "config.json",
                    "adapter_config.json",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "generation_config.json");

    /** Of files that no stage writes; a model of many gigabytes is read once. */
    private final Map<Path, String> known = new HashMap<>();

    /**
     * Hashes a file or directory that does not change while the pipeline runs.
     *
     * @return 64 hexadecimal digits
     */
    String ofInput(Path path) throws IOException {
        String hash = known.get(path);
        if (hash == null) {
            hash = of(path);
            known.put(path, hash);
        }
        return hash;
    }

    /** Forgets what a stage is about to write. */
    void forget(Path directory) {
        known.keySet().removeIf(path -> path.startsWith(directory));
    }

    static String of(Path path) throws IOException {
        if (!Files.isDirectory(path)) {
            return Sha256.of(path);
        }
        MessageDigest digest = Sha256.digest();
        List<Path> files;
        try (Stream<Path> entries = Files.list(path)) {
            files = entries.filter(ContentHash::counts).sorted().toList();
        }
        for (Path file : files) {
            String line = file.getFileName() + " " + Sha256.of(file) + "\n";
            digest.update(line.getBytes(StandardCharsets.UTF_8));
        }
        return Sha256.hex(digest);
    }

    private static boolean counts(Path file) {
        String name = String.valueOf(file.getFileName());
        return Files.isRegularFile(file)
                && (DESCRIPTIONS.contains(name)
                        || name.endsWith(".safetensors")
                        || (name.endsWith(".jsonl") && !name.equals("metrics.jsonl")));
    }
}
