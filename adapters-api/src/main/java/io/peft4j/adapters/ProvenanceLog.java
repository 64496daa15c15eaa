package io.peft4j.adapters;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What is known of one adapter's history, from adding or loading it on. */
final class ProvenanceLog {

    private static final Logger LOG = LoggerFactory.getLogger(Adapter.class);
    private static final int SHORT = 12;

    // keeps what is written well below what is read
    private static final int MOST_ENTRIES = 128;

    private final String name;
    private final AdapterConfig config;
    private final Supplier<String> baseFingerprint;

    private volatile Provenance known = new Provenance(Map.of());

    /**
     * Starts without any knowledge.
     *
     * @param name the adapter's name, for messages
     * @param config the adapter's settings
     * @param baseFingerprint computes the fingerprint of the model that it is on
     */
    ProvenanceLog(String name, AdapterConfig config, Supplier<String> baseFingerprint) {
        this.name = name;
        this.config = config;
        this.baseFingerprint = baseFingerprint;
    }

    Provenance known() {
        return known;
    }

    void created(long seed) {
        Map<String, String> entries = begin();
        entries.put(Provenance.CREATED, Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        entries.put(Provenance.SEED, String.valueOf(seed));
        entries.put(Provenance.BASE_FINGERPRINT, baseFingerprint.get());
        known = new Provenance(entries);
    }

    /** The tensors are those of a directory now; a provenance that is of no use is left aside. */
    void loaded(Path directory) {
        Optional<Provenance> saved = readUsable(directory);
        if (saved.isPresent()) {
            known = new Provenance(ProvenanceFile.withoutFiles(saved.get()));
            warnOfAnotherBase(saved.get());
        } else {
            known = new Provenance(begin());
        }
    }

    private Map<String, String> begin() {
        Map<String, String> entries = new HashMap<>(LibraryVersions.CURRENT);
        entries.put(Provenance.METHOD, Provenance.clean(config.method()));
        config.toPeft()
                .string("base_model_name_or_path")
                .ifPresent(base -> entries.put(Provenance.BASE_NAME, Provenance.clean(base)));
        return entries;
    }

    private Optional<Provenance> readUsable(Path directory) {
        try {
            Optional<Provenance> saved = ProvenanceFile.read(directory);
            if (saved.isPresent()) {
                List<String> changed = saved.get().changedFiles(directory);
                if (changed.contains(AdapterFiles.TENSORS)) {
                    throw new IOException(
                            directory.resolve(ProvenanceFile.NAME)
                                    + " is about other tensors than "
                                    + AdapterFiles.TENSORS
                                    + " has");
                }
            }
            return saved;
        } catch (IOException e) {
            LOG.warn(
                    "the provenance of adapter {} is left aside: {}",
                    name,
                    Provenance.clean(String.valueOf(e.getMessage())));
            return Optional.empty();
        }
    }

    private void warnOfAnotherBase(Provenance saved) {
        Optional<String> expected = saved.baseFingerprint();
        if (expected.isEmpty()) {
            return;
        }
        String found = baseFingerprint.get();
        if (!expected.get().equals(found)) {
            LOG.warn(
                    "adapter {} was made for another base model: expected the fingerprint {}{},"
                            + " found {}",
                    name,
                    expected.get().substring(0, SHORT),
                    saved.baseName().map(base -> " (" + base + ")").orElse(""),
                    found.substring(0, SHORT));
        }
    }

    void put(String key, String value) {
        change(
                entries -> {
                    entries.put(key, Provenance.clean(value));
                    if (entries.size() > MOST_ENTRIES) {
                        throw new IllegalArgumentException(
                                "expected at most "
                                        + MOST_ENTRIES
                                        + " entries in a provenance, found one more: "
                                        + key);
                    }
                });
    }

    void trained(Map<String, String> facts) {
        Map<String, String> now = new HashMap<>(LibraryVersions.CURRENT);
        now.put(Provenance.BASE_FINGERPRINT, baseFingerprint.get());
        facts.forEach((key, value) -> now.put(Provenance.TRAINING + key, Provenance.clean(value)));
        change(
                entries -> {
                    entries.keySet().removeIf(key -> key.startsWith(Provenance.TRAINING));
                    entries.putAll(now);
                });
    }

    /** Takes no other lock: the base model's fingerprint is computed before. */
    private synchronized void change(Consumer<Map<String, String>> how) {
        Map<String, String> entries = new HashMap<>(known.entries());
        how.accept(entries);
        known = new Provenance(entries);
    }
}
