package io.peft4j.hub;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A loopback hub with a small model, and an empty cache. */
abstract class HubTestCase {

    static final String NAME = LoopbackHub.REPOSITORY;
    static final String WEIGHTS = "model.safetensors";
    static final String TOKEN = "hf_secret";

    /** Larger than the ranges of {@link #builder}, so that it comes in several. */
    static final byte[] WEIGHT_BYTES = bytes(300_000, 1);

    @TempDir Path directory;
    LoopbackHub server;
    Path cache;

    @BeforeEach
    void startHub() throws IOException {
        server = new LoopbackHub();
        cache = directory.resolve("hub");
        server.files.put("README.md", "# a model".getBytes(UTF_8));
        server.files.put("config.json", "{\"model_type\": \"llama\"}".getBytes(UTF_8));
        server.files.put("tokenizer.json", bytes(5000, 2));
        server.files.put(WEIGHTS, WEIGHT_BYTES);
        server.large.add(WEIGHTS);
    }

    @AfterEach
    void stopHub() {
        server.close();
    }

    static byte[] bytes(int count, long seed) {
        byte[] bytes = new byte[count];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    Hub.Builder builder() throws IOException {
        return Hub.builder(new HubEnvironment(Map.of(), directory.toString()))
                .optEndpoint(server.url())
                .optCache(cache)
                .optToken(TOKEN)
                .optTimeout(Duration.ofSeconds(5))
                .optFirstWait(Duration.ofMillis(1))
                .optRangeBytes(64 << 10);
    }

    Path fetch() throws IOException {
        return builder().build().fetchModel(NAME);
    }

    Path repository() {
        return cache.resolve("models--org--name");
    }

    Path blob(String name) {
        return repository().resolve("blobs").resolve(server.etag(name));
    }

    /** Everything below the test's directory but locks, which stay for the next. */
    List<String> allFiles() throws IOException {
        try (Stream<Path> walk = Files.walk(directory)) {
            return walk.filter(path -> !Files.isDirectory(path))
                    .map(path -> directory.relativize(path).toString())
                    .filter(path -> !path.contains(".lock"))
                    .sorted()
                    .toList();
        }
    }
}
