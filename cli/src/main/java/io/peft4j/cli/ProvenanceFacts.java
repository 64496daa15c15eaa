package io.peft4j.cli;

import ai.djl.Device;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Provenance;
import io.peft4j.models.CausalLm;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Where the content of a directory comes from, and whether it still is that content. */
final class ProvenanceFacts {

    private ProvenanceFacts() {}

    /**
     * Adds an adapter's provenance; one that is of no use is a problem to tell, not an error.
     *
     * @param facts takes the facts
     * @param directory the adapter
     * @param base the model to compare with the one that the adapter was made for
     * @throws IOException if the base cannot be loaded
     */
    static void ofAdapter(JsonObject facts, Path directory, @Nullable Path base)
            throws IOException {
        Optional<Provenance> provenance = read(facts, directory);
        provenance.ifPresent(found -> tellChanges(facts, directory, found));
        if (base != null) {
            compare(facts, provenance.flatMap(Provenance::baseFingerprint), base);
        }
    }

    /** Adds what merge left beside the weights of a model, if it did. */
    static void ofModel(JsonObject facts, Path directory) {
        read(facts, directory);
        if (facts.get("provenance").isJsonNull()) {
            facts.remove("provenance");
        }
    }

    private static Optional<Provenance> read(JsonObject facts, Path directory) {
        facts.add("provenance", JsonNull.INSTANCE);
        try {
            Optional<Provenance> provenance = Provenance.read(directory);
            provenance.ifPresent(found -> facts.add("provenance", json(found)));
            return provenance;
        } catch (IOException e) {
            facts.addProperty("provenance_problem", Failure.line(e));
            return Optional.empty();
        }
    }

    private static JsonObject json(Provenance provenance) {
        JsonObject json = new JsonObject();
        provenance.entries().forEach(json::addProperty);
        return json;
    }

    private static void tellChanges(JsonObject facts, Path directory, Provenance provenance) {
        try {
            List<String> changed = provenance.changedFiles(directory);
            if (!changed.isEmpty()) {
                facts.addProperty(
                        "provenance_problem",
                        "written for other files: "
                                + String.join(", ", changed)
                                + " changed since");
            }
        } catch (IOException e) {
            facts.addProperty("provenance_problem", Failure.line(e));
        }
    }

    private static void compare(JsonObject facts, Optional<String> expected, Path base)
            throws IOException {
        try (CausalLm model = CausalLm.load(base, Device.cpu())) {
            String found = Adapters.baseFingerprint(model.block());
            facts.addProperty("model_fingerprint", found);
            facts.addProperty(
                    "model_matches", expected.isPresent() ? expected.get().equals(found) : null);
        }
    }
}
