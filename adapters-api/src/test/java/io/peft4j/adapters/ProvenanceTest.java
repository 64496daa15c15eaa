package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.files.AtomicFiles;
import io.peft4j.files.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProvenanceTest {

    private static final String HASH = "0123456789abcdef".repeat(4);

    @TempDir Path directory;

    private static Provenance full() {
        return new Provenance(
                Map.of(
                        "created", "2025-01-31T12:00:00Z",
                        "adapter.method", "dora",
                        "adapter.seed", "-7",
                        "base.name", "apple/OpenELM \"270M\" – klein",
                        "base.fingerprint", HASH,
                        "training.steps", "60",
                        "training.epochs", "2.5",
                        "ticket", ""));
    }

    private void write(Provenance provenance) throws IOException {
        Map<Path, AtomicFiles.ChannelWriter> files = new LinkedHashMap<>();
        files.put(
                directory.resolve("adapter_model.safetensors"),
                c -> c.write(StandardCharsets.UTF_8.encode("tensors")));
        files.put(
                directory.resolve("adapter_config.json"),
                c -> c.write(StandardCharsets.UTF_8.encode("{}")));
        ProvenanceFile.add(files, directory, provenance);
        AtomicFiles.writeTogether(files);
    }

    private Path file() {
        return directory.resolve("adapter_provenance.json");
    }

    @Test
    void theGettersSayWhatTheEntriesSay() {
        assertThat(full().created()).contains(Instant.parse("2025-01-31T12:00:00Z"));
        assertThat(full().method()).contains("dora");
        assertThat(full().seed()).hasValue(-7);
        assertThat(full().baseFingerprint()).contains(HASH);
        assertThat(full().steps()).hasValue(60);
        assertThat(full().epochs()).hasValue(2.5);
        assertThat(List.copyOf(full().entries().keySet())).isSorted();
        Provenance none = new Provenance(Map.of());
        assertThat(none.created()).isEmpty();
        assertThat(none.seed()).isEmpty();
        assertThat(none.epochs()).isEmpty();
    }

    @Test
    void whatIsWrittenIsReadAgainWithTheHashesOfItsNeighbours() throws IOException {
        write(full());
        Provenance read = Provenance.read(directory).orElseThrow();
        assertThat(ProvenanceFile.withoutFiles(read)).isEqualTo(full().entries());
        assertThat(read.get("adapter_model.sha256"))
                .contains(Sha256.of(directory.resolve("adapter_model.safetensors")));
        assertThat(read.get("adapter_config.sha256"))
                .contains("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assertThat(read.changedFiles(directory)).isEmpty();
        assertThat(Files.readAllLines(file())).contains("  \"adapter.seed\": \"-7\",");
        byte[] once = Files.readAllBytes(file());
        write(full());
        assertThat(Files.readAllBytes(file())).isEqualTo(once);
    }

    @Test
    void filesThatSomebodyElseWroteAreNamed() throws IOException {
        write(full());
        Files.writeString(directory.resolve("adapter_model.safetensors"), "tensorz");
        Provenance read = Provenance.read(directory).orElseThrow();
        assertThat(read.changedFiles(directory)).containsExactly("adapter_model.safetensors");
    }

    @Test
    void aDirectoryWithoutItHasNone() throws IOException {
        assertThat(Provenance.read(directory)).isEqualTo(Optional.empty());
    }

    @ParameterizedTest
    @CsvSource({
        "created, yesterday",
        "adapter.seed, 1.5",
        "training.steps, many",
        "training.epochs, one",
        "base.fingerprint, 0123",
        "adapter_model.sha256, ABCDEF"
    })
    void aKnownKeyWithAValueOfAnotherKindIsRefused(String key, String value) {
        assertThatThrownBy(() -> new Provenance(Map.of(key, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(key + ": expected")
                .hasMessageEndingWith("found \"" + value + '"');
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Ticket", "a b", ".a", "a.", "a..b", "k\u001b[31m"})
    void keysOfOtherCharactersAreRefused(String key) {
        assertThatThrownBy(() -> new Provenance(Map.of(key, "x")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("expected a key")
                .hasMessageNotContaining("\u001b");
    }

    @Test
    void whatControlsATerminalIsRefusedAndCleanedAway() {
        String hostile = "a\u001b[31m\nb\u202ec\ud800";
        assertThatThrownBy(() -> new Provenance(Map.of("k", hostile)))
                .hasMessageStartingWith("k: expected");
        assertThat(Provenance.clean(hostile)).isEqualTo("a?[31m?b?c?");
        String beyond = "x".repeat(1023) + "\ud83d\ude00";
        assertThat(Provenance.clean(beyond)).isEqualTo("x".repeat(1023));
        assertThat(Provenance.clean("\ud83d\ude00")).isEqualTo("\ud83d\ude00");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{\"a\": 1}",
                "{\"a\": null}",
                "{\"a\": {\"b\": \"c\"}}",
                "{\"a\": [\"b\"]}",
                "{\"a\": \"b\", \"a\": \"c\"}",
                "{\"A\": \"b\"}",
                "{\"adapter.seed\": \"x\"}",
                "{\"a\": \"\\u001b[2J\"}",
                "{\"a\": \"b\"} {}"
            })
    void aHostileFileIsRefusedByName(String text) throws IOException {
        Files.writeString(file(), text);
        assertThatThrownBy(() -> Provenance.read(directory))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(file().toString());
    }

    @Test
    void aHugeOrDeepFileIsRefusedBeforeItIsBuilt() throws IOException {
        Files.writeString(file(), "[".repeat(500_000));
        assertThatThrownBy(() -> Provenance.read(directory)).isInstanceOf(IOException.class);
        Files.writeString(file(), "{\"a\": \"" + "b".repeat(1 << 20) + "\"}");
        assertThatThrownBy(() -> Provenance.read(directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("expected at most 1048576 bytes");
        Files.delete(file());
        Files.createDirectory(file());
        assertThatThrownBy(() -> Provenance.read(directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("expected a file");
    }
}
