package io.peft4j.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.ExpertAdapters;
import io.peft4j.safetensors.ShardedSafetensors;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What an adapter directory holds. */
final class AdapterFacts {

    private AdapterFacts() {}

    static JsonObject of(Path directory, @Nullable Path base) throws IOException {
        JsonObject facts = new JsonObject();
        facts.addProperty("kind", "adapter");
        JsonObject peft =
                ExpertAdapters.isFused(directory)
                        ? fused(facts, PeftConfig.read(directory))
                        : config(facts, Adapters.readConfig(directory));
        for (String key :
                new String[] {
                    "task_type",
                    "target_modules",
                    "target_parameters",
                    "exclude_modules",
                    "feedforward_modules",
                    "modules_to_save",
                    "layers_to_transform",
                    "layers_pattern",
                    "rank_pattern",
                    "alpha_pattern",
                    "base_model_name_or_path"
                }) {
            JsonElement value = peft.get(key);
            if (value != null && !value.isJsonNull() && !value.toString().equals("{}")) {
                facts.add(key, value);
            }
        }
        try (ShardedSafetensors file = ShardedSafetensors.open(directory, "adapter_model")) {
            facts.addProperty("parameters", TensorFacts.elements(file));
            facts.add("tensors", TensorFacts.of(file));
        }
        ProvenanceFacts.ofAdapter(facts, directory, base);
        return facts;
    }

    private static JsonObject config(JsonObject facts, AdapterConfig config) {
        facts.addProperty("method", config.method());
        if (config instanceof LowRankConfig lowRank) {
            facts.addProperty("rank", lowRank.rank());
            facts.addProperty("alpha", lowRank.alpha());
            facts.addProperty("scaling", lowRank.scaling(""));
            facts.addProperty("rslora", lowRank.rsLora());
            facts.addProperty("dropout", lowRank.dropout());
        }
        return config.toPeft().json();
    }

    /** Which modules' settings these are cannot be told without the model. */
    private static JsonObject fused(JsonObject facts, PeftConfig config) {
        int rank = config.integer("r").orElse(8);
        double alpha = config.number("lora_alpha").orElse(8.0);
        boolean rsLora = config.flag("use_rslora");
        facts.addProperty("method", config.flag("use_dora") ? "dora" : "lora");
        facts.addProperty("experts", "fused");
        facts.addProperty("rank", rank);
        facts.addProperty("alpha", alpha);
        facts.addProperty("scaling", alpha / (rsLora ? Math.sqrt(rank) : rank));
        facts.addProperty("rslora", rsLora);
        facts.addProperty("dropout", config.number("lora_dropout").orElse(0.0));
        return config.json();
    }
}
