package io.peft4j.adapters;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.files.AtomicFiles;
import io.peft4j.files.Sha256;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * {@code adapter_provenance.json}: one flat JSON object of texts. It names the SHA-256 of the two
 * files beside it, since other libraries that write those do not know of it.
 */
final class ProvenanceFile {

    static final String NAME = "adapter_provenance.json";
    static final String CONFIG_SHA256 = "adapter_config.sha256";
    static final String TENSORS_SHA256 = "adapter_model.sha256";

    private static final Map<String, String> FILES =
            new TreeMap<>(
                    Map.of(
                            CONFIG_SHA256,
                            AdapterFiles.CONFIG,
                            TENSORS_SHA256,
                            AdapterFiles.TENSORS));
    private static final int MAX_BYTES = 1 << 20;
    private static final int MAX_DEPTH = 1;

    private ProvenanceFile() {}

    /** Adds the provenance to the files of an adapter, which are written before it. */
    static void add(
            Map<Path, AtomicFiles.ChannelWriter> files, Path directory, Provenance provenance) {
        Map<String, String> entries = new HashMap<>(provenance.entries());
        FILES.forEach(
                (key, name) ->
                        files.computeIfPresent(
                                directory.resolve(name),
                                (file, writer) ->
                                        channel -> {
                                            writer.write(channel);
                                            entries.put(key, Sha256.of(channel));
                                        }));
        files.put(
                directory.resolve(NAME),
                channel -> {
                    ByteBuffer bytes =
                            ByteBuffer.wrap(text(entries).getBytes(StandardCharsets.UTF_8));
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
    }

    static void write(Path directory, Provenance provenance) throws IOException {
        AtomicFiles.writeString(directory.resolve(NAME), text(provenance.entries()));
    }

    private static String text(Map<String, String> entries) {
        JsonObject json = new JsonObject();
        new Provenance(entries).entries().forEach(json::addProperty);
        return new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(json)
                + "\n";
    }

    static Optional<Provenance> read(Path directory) throws IOException {
        Path file = directory.resolve(NAME);
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": expected a file, found something else");
        }
        JsonElement json = StrictJson.read(file, MAX_BYTES, MAX_DEPTH);
        if (!json.isJsonObject()) {
            throw new IOException(file + ": expected a JSON object, found another value");
        }
        Map<String, String> entries = new HashMap<>();
        for (Map.Entry<String, JsonElement> entry : json.getAsJsonObject().entrySet()) {
            JsonElement value = entry.getValue();
            if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) {
                throw new IOException(
                        file
                                + ": expected a text for the key "
                                + Provenance.clean(entry.getKey())
                                + ", found another value");
            }
            entries.put(entry.getKey(), value.getAsString());
        }
        try {
            return Optional.of(new Provenance(entries));
        } catch (IllegalArgumentException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    static List<String> changed(Path directory, Provenance provenance) throws IOException {
        List<String> changed = new ArrayList<>();
        for (Map.Entry<String, String> file : FILES.entrySet()) {
            Optional<String> expected = provenance.get(file.getKey());
            if (expected.isPresent()
                    && !expected.get().equals(Sha256.of(directory.resolve(file.getValue())))) {
                changed.add(file.getValue());
            }
        }
        return changed;
    }

    /** The entries without those that hold for one directory's files only. */
    static Map<String, String> withoutFiles(Provenance provenance) {
        Map<String, String> entries = new HashMap<>(provenance.entries());
        entries.keySet().removeAll(FILES.keySet());
        return entries;
    }
}
