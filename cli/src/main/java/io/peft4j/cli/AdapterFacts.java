package io.peft4j.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.safetensors.ShardedSafetensors;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What an adapter directory holds. */
final class AdapterFacts {

    private AdapterFacts() {}

    static JsonObject of(Path directory, @Nullable Path base) throws IOException {
        AdapterConfig config = Adapters.readConfig(directory);
        JsonObject peft = config.toPeft().json();
        JsonObject facts = new JsonObject();
        facts.addProperty("kind", "adapter");
        facts.addProperty("method", config.method());
        if (config instanceof LowRankConfig lowRank) {
            facts.addProperty("rank", lowRank.rank());
            facts.addProperty("alpha", lowRank.alpha());
            facts.addProperty("scaling", lowRank.scaling(""));
            facts.addProperty("rslora", lowRank.rsLora());
            facts.addProperty("dropout", lowRank.dropout());
        }
        for (String key :
                new String[] {
                    "target_modules",
                    "exclude_modules",
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
}
