package io.peft4j.cli;

import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.TargetModules;
import io.peft4j.models.CausalLm;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.safetensors.ShardedSafetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a model directory holds. */
final class ModelFacts {

    private ModelFacts() {}

    static JsonObject of(Path directory, @Nullable Path tokenizer) throws IOException {
        ModelConfig config = CausalLm.verify(directory);
        JsonObject facts = new JsonObject();
        facts.addProperty("kind", "model");
        facts.addProperty("architecture", config.modelType());
        facts.addProperty("parameters", config.parameterCount());
        facts.addProperty("layers", config.layers().size());
        facts.addProperty("hidden_size", config.hiddenSize());
        facts.addProperty("head_dim", config.headDim());
        facts.addProperty("vocabulary", config.vocabularySize());
        facts.addProperty("context_length", config.contextLength());
        facts.addProperty("tied_head", config.hasTiedHead());
        facts.addProperty("dtype", config.dtype().map(d -> d.torchName()).orElse(null));
        facts.addProperty("tokenizer", tokenizer(directory, tokenizer));
        JsonArray targets = new JsonArray();
        config.defaultTargetModules().forEach(targets::add);
        facts.add("target_modules", targets);
        facts.add("adapters", adapters(config));
        facts.add("sites", sites(config));
        try (ShardedSafetensors file = ShardedSafetensors.open(directory)) {
            facts.add("tensors", TensorFacts.of(file));
        }
        ProvenanceFacts.ofModel(facts, directory);
        return facts;
    }

    private static @Nullable String tokenizer(Path directory, @Nullable Path given)
            throws IOException {
        Optional<Tokenizer> found =
                given == null ? Tokenizer.find(directory) : Optional.of(Tokenizer.load(given));
        try (Tokenizer tokenizer = found.orElse(null)) {
            return tokenizer == null ? null : tokenizer.size() + " tokens";
        }
    }

    /** What an adapter takes that is given no targets, and one that is given all linear layers. */
    private static JsonArray adapters(ModelConfig config) {
        Map<String, Shape> linears = config.linears();
        JsonArray rows = new JsonArray();
        rows.add(adapter(config, "default", defaultSites(config)));
        rows.add(adapter(config, "all-linear", List.copyOf(linears.keySet())));
        return rows;
    }

    private static JsonObject adapter(ModelConfig config, String targets, List<String> sites) {
        Map<String, Shape> linears = config.linears();
        JsonArray modules = new JsonArray();
        sites.stream()
                .map(path -> path.substring(path.lastIndexOf('.') + 1))
                .distinct()
                .forEach(modules::add);
        long features = 0;
        for (String path : sites) {
            Shape shape = Objects.requireNonNull(linears.get(path));
            features += shape.get(0) + shape.get(1);
        }
        JsonObject row = new JsonObject();
        row.addProperty("targets", targets);
        row.add("modules", modules);
        row.addProperty("sites", sites.size());
        row.addProperty(
                "parameters_at_rank_" + MethodOptions.DEFAULT_RANK,
                MethodOptions.DEFAULT_RANK * features);
        return row;
    }

    private static List<String> defaultSites(ModelConfig config) {
        Set<String> linears = config.linears().keySet();
        return TargetModules.of(config.defaultTargetModules().toArray(new String[0]))
                .select(linears, linears, Set.of(), Set.of());
    }

    /** The sites of an adapter with default targets. */
    private static JsonArray sites(ModelConfig config) {
        Map<String, Shape> matrices = config.linears();
        JsonArray sites = new JsonArray();
        for (String path : defaultSites(config)) {
            JsonObject site = new JsonObject();
            site.addProperty("site", path);
            JsonArray shape = new JsonArray();
            for (long size : Objects.requireNonNull(matrices.get(path)).getShape()) {
                shape.add(size);
            }
            site.add("shape", shape);
            sites.add(site);
        }
        return sites;
    }
}
