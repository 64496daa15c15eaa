package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.adapters.TinyModel;
import io.peft4j.torch.Tensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterProvenanceTest {

    private static final LoraConfig CONFIG =
            LoraConfig.builder()
                    .setRank(2)
                    .optBaseModel("some/base")
                    .setTargetModules("up", "down")
                    .build();

    @TempDir Path directory;

    private final ByteArrayOutputStream log = new ByteArrayOutputStream();
    private final PrintStream stderr = System.err;

    @BeforeEach
    void listen() {
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void endListening() {
        System.setErr(stderr);
    }

    private long warnings() {
        return log.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains("WARN") && line.contains("Adapter"))
                .count();
    }

    /** A model whose base weights follow from a seed. */
    private static TinyModel base(int seed) {
        TinyModel model = new TinyModel(true);
        Random random = new Random(seed);
        model.getParameters()
                .values()
                .forEach(
                        parameter -> {
                            float[] values = new float[(int) parameter.getShape().size()];
                            for (int i = 0; i < values.length; i++) {
                                values[i] = (float) random.nextGaussian();
                            }
                            Tensors.copy(
                                    model.manager().create(values, parameter.getShape()),
                                    parameter.getArray());
                        });
        return model;
    }

    private void save(int base, Map<String, String> training) throws IOException {
        try (TinyModel model = base(base);
                AdaptedModel adapted = Adapters.attach(model, CONFIG, 7)) {
            adapted.adapter().recordTraining(training);
            adapted.adapter().record("ticket", "FT-12\u001b[0m");
            adapted.save(directory);
        }
    }

    @Test
    void aNewAdapterKnowsWhoMadeItFromWhat() {
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.attach(model, CONFIG, 7)) {
            Provenance provenance = adapted.adapter().provenance();
            assertThat(provenance.created().orElseThrow())
                    .isBetween(Instant.now().minus(Duration.ofMinutes(5)), Instant.now());
            assertThat(provenance.method()).contains("lora");
            assertThat(provenance.seed()).hasValue(7);
            assertThat(provenance.baseName()).contains("some/base");
            assertThat(provenance.baseFingerprint()).contains(adapted.baseFingerprint());
            assertThat(provenance.steps()).isEmpty();
            assertThat(provenance.entries())
                    .containsEntry("djl", "0.36.0")
                    .containsEntry("engine", "PyTorch")
                    .containsEntry("engine.version", "2.7.1")
                    .containsEntry("engine.flavor", "cpu")
                    .containsEntry("java", Runtime.version().toString());
            assertThat(provenance.get("peft4j").orElseThrow()).matches("\\d+\\.\\d+\\.\\d+.*");
        }
    }

    @Test
    void itIsSavedAndLoadedWithTheAdapter() throws IOException {
        save(1, Map.of("kind", "sft", "steps", "60", "epochs", "1.5"));
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            Provenance loaded = adapted.adapter().provenance();
            assertThat(loaded.seed()).hasValue(7);
            assertThat(loaded.steps()).hasValue(60);
            assertThat(loaded.epochs()).hasValue(1.5);
            assertThat(loaded.get("training.kind")).contains("sft");
            assertThat(loaded.get("ticket")).contains("FT-12?[0m");
            assertThat(warnings()).isZero();
            adapted.save(directory.resolve("again"));
        }
        for (String name : directory.toFile().list()) {
            if (!name.equals("again")) {
                assertThat(directory.resolve("again").resolve(name))
                        .hasSameBinaryContentAs(directory.resolve(name));
            }
        }
        assertThat(directory.resolve("again/adapter_provenance.json")).exists();
    }

    @Test
    void anotherTrainingTakesThePlaceOfTheFirst() throws IOException {
        save(1, Map.of("steps", "60", "data_rows", "5"));
        try (TinyModel model = base(2);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            Adapter adapter = adapted.adapter();
            assertThat(adapter.provenance().baseFingerprint())
                    .isNotEmpty()
                    .isNotEqualTo(java.util.Optional.of(adapted.baseFingerprint()));
            adapter.recordTraining(Map.of("steps", "3"));
            assertThat(adapter.provenance().steps()).hasValue(3);
            assertThat(adapter.provenance().get("training.data_rows")).isEmpty();
            assertThat(adapter.provenance().get("ticket")).isPresent();
            assertThat(adapter.provenance().baseFingerprint()).contains(adapted.baseFingerprint());
        }
    }

    @Test
    void anotherBaseIsWarnedOfOnceAndIsNoError() throws IOException {
        save(1, Map.of());
        try (TinyModel model = base(2);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            assertThat(adapted.adapter().parameters()).hasSize(4);
            String saved = Provenance.read(directory).orElseThrow().baseFingerprint().orElseThrow();
            assertThat(log.toString(StandardCharsets.UTF_8))
                    .contains(
                            "adapter default was made for another base model: expected the"
                                    + " fingerprint "
                                    + saved.substring(0, 12)
                                    + " (some/base), found "
                                    + adapted.baseFingerprint().substring(0, 12));
            assertThat(warnings()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "not JSON",
                "{\"adapter.seed\": 7}",
                "{\"adapter.seed\": \"x\"}",
                "{\"base.fingerprint\": \"12\"}",
                "{\"a\": \"\\u001b]0;owned\\u0007\"}"
            })
    void aMalformedFileIsWarnedOfAndTheAdapterLoads(String text) throws IOException {
        save(1, Map.of("steps", "60"));
        Files.writeString(directory.resolve("adapter_provenance.json"), text);
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            Provenance provenance = adapted.adapter().provenance();
            assertThat(provenance.seed()).isEmpty();
            assertThat(provenance.baseFingerprint()).isEmpty();
            assertThat(provenance.baseName()).contains("some/base");
            assertThat(warnings()).isEqualTo(1);
            assertThat(log.toString(StandardCharsets.UTF_8))
                    .contains("the provenance of adapter default is left aside: ")
                    .doesNotContain("\u001b");
        }
    }

    @Test
    void tensorsThatAnotherLibraryWroteOverItsOwnAreNotTakenForThese() throws IOException {
        save(1, Map.of("steps", "60"));
        Path other = Files.createDirectory(directory.resolve("other"));
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.attach(model, CONFIG, 8)) {
            adapted.save(other);
        }
        Files.copy(
                other.resolve("adapter_model.safetensors"),
                directory.resolve("adapter_model.safetensors"),
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            assertThat(adapted.adapter().provenance().steps()).isEmpty();
            assertThat(log.toString(StandardCharsets.UTF_8)).contains("about other tensors");
        }
    }

    @Test
    void aDirectoryByPeftLoadsSilentlyAndIsSavedWithWhatIsKnown() throws IOException {
        save(1, Map.of("steps", "60"));
        Files.delete(directory.resolve("adapter_provenance.json"));
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            assertThat(warnings()).isZero();
            adapted.save(directory);
        }
        Provenance saved = Provenance.read(directory).orElseThrow();
        assertThat(saved.created()).isEmpty();
        assertThat(saved.seed()).isEmpty();
        assertThat(saved.baseFingerprint()).isEmpty();
        assertThat(saved.method()).contains("lora");
    }

    @Test
    void aFailedLoadLeavesTheProvenance() throws IOException {
        save(1, Map.of("steps", "60"));
        try (TinyModel model = base(1);
                AdaptedModel adapted =
                        Adapters.attach(
                                model,
                                LoraConfig.builder().setRank(3).setTargetModules("up").build(),
                                5)) {
            Provenance before = adapted.adapter().provenance();
            assertThatThrownBy(() -> adapted.adapter().load(directory)).isNotNull();
            assertThat(adapted.adapter().provenance()).isEqualTo(before);
        }
    }

    @Test
    void theFingerprintIsTheBasesUnderAdaptersActiveOrMerged() {
        try (TinyModel model = base(1)) {
            String plain = Adapters.baseFingerprint(model);
            LoraConfig random =
                    LoraConfig.builder()
                            .setRank(2)
                            .optInit(LoraInit.GAUSSIAN)
                            .setTargetModules("up")
                            .build();
            try (AdaptedModel adapted = Adapters.attach(model, random, 7)) {
                adapted.adapter()
                        .parameters()
                        .values()
                        .forEach(p -> Tensors.copy(p.getArray().onesLike(), p.getArray()));
                assertThat(adapted.baseFingerprint()).isEqualTo(plain);
                adapted.merge();
                assertThat(Adapters.baseFingerprint(model)).isNotEqualTo(plain);
                assertThat(adapted.baseFingerprint()).isEqualTo(plain);
                adapted.unmerge();
                assertThat(adapted.baseFingerprint()).isEqualTo(plain);
            }
            assertThat(Adapters.baseFingerprint(model)).isEqualTo(plain);
        }
    }

    @Test
    void aCombinationTellsOfWhatItWasMade() {
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.attach(model, CONFIG, 7)) {
            adapted.add("other", CONFIG, 8);
            AdapterCombination.builder()
                    .addAdapter("default", 0.5)
                    .addAdapter("other", -1)
                    .build()
                    .addTo(adapted, "sum");
            assertThat(adapted.adapter("sum").provenance().entries())
                    .containsEntry("combination.rule", "sum")
                    .containsEntry("combination.weights", "{default=0.5, other=-1.0}");
        }
    }

    @Test
    void endlessRecordsAreRefusedByName() {
        try (TinyModel model = base(1);
                AdaptedModel adapted = Adapters.attach(model, CONFIG, 7)) {
            Adapter adapter = adapted.adapter();
            assertThatThrownBy(
                            () -> {
                                for (int i = 0; i < 200; i++) {
                                    adapter.record("k" + i, "v");
                                }
                            })
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("128 entries");
            assertThat(adapter.provenance().entries()).hasSize(128);
            adapter.record("k0", "w");
            assertThat(adapter.provenance().get("k0")).contains("w");
            assertThatThrownBy(() -> adapter.record("created", "yesterday"))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
