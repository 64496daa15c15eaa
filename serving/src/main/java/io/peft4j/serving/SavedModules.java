package io.peft4j.serving;

import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The modules of a saved adapter, as a loader that knows only files sees them.
 *
 * @param config its settings
 * @param lowRank the settings as this library reads them; null for fused experts
 * @param modules the rank of each module with a pair, in file order
 * @param embeddings which of them are embeddings
 * @param others the names of all tensors that are in no pair
 */
record SavedModules(
        PeftConfig config,
        @Nullable LowRankConfig lowRank,
        Map<String, Integer> modules,
        List<String> embeddings,
        List<String> others) {

    private static final String PREFIX = "base_model.model.";
    private static final int SHOWN = 3;

    SavedModules {
        modules = Collections.unmodifiableMap(new LinkedHashMap<>(modules));
        embeddings = List.copyOf(embeddings);
        others = List.copyOf(others);
    }

    static SavedModules read(Path directory) throws IOException {
        PeftConfig config = PeftConfig.read(directory);
        LowRankConfig lowRank = null;
        if (config.strings("target_parameters").isEmpty()) {
            AdapterConfig read = Adapters.readConfig(directory);
            lowRank = read instanceof LowRankConfig found ? found : null;
        }
        Map<String, Integer> modules = new LinkedHashMap<>();
        List<String> embeddings = new ArrayList<>();
        List<String> others = new ArrayList<>();
        try (SafetensorsFile file =
                SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            for (String name : file.names()) {
                String key = name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name;
                if (key.endsWith(".lora_A.weight")) {
                    modules.put(
                            key.substring(0, key.length() - ".lora_A.weight".length()),
                            Math.toIntExact(file.tensor(name).shape().get(0)));
                } else if (key.endsWith(".lora_embedding_A")) {
                    String module = key.substring(0, key.length() - ".lora_embedding_A".length());
                    modules.put(module, Math.toIntExact(file.tensor(name).shape().get(0)));
                    embeddings.add(module);
                } else if (!key.endsWith(".lora_B.weight") && !key.endsWith(".lora_embedding_B")) {
                    others.add(key);
                }
            }
        }
        return new SavedModules(config, lowRank, modules, embeddings, others);
    }

    /** What the config says of all modules. */
    int rank() {
        return config.integer("r").orElse(8);
    }

    int largestRank() {
        return modules.values().stream().mapToInt(Integer::intValue).max().orElse(0);
    }

    /** The scaling that the config has for a rank, its patterns aside. */
    double commonScaling(int rank) {
        double alpha = config.number("lora_alpha").orElse(8.0);
        return config.flag("use_rslora") ? alpha / Math.sqrt(rank) : alpha / rank;
    }

    /**
     * Compares a server's scaling with PEFT's.
     *
     * @param ofServer the scaling that a server takes for a module
     * @return for how many modules they differ, and one of them; empty if for none
     */
    Optional<String> wrongScaling(ToDoubleFunction<String> ofServer) {
        if (lowRank == null) {
            return Optional.empty();
        }
        List<String> wrong =
                modules.keySet().stream()
                        .filter(
                                module ->
                                        Math.abs(
                                                        ofServer.applyAsDouble(module)
                                                                - lowRank.scaling(module))
                                                > 1e-6 * lowRank.scaling(module))
                        .toList();
        return wrong.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        String.format(
                                Locale.ROOT,
                                "%d of %d modules get another, such as %s %.4g instead of %.4g",
                                wrong.size(),
                                modules.size(),
                                wrong.get(0),
                                ofServer.applyAsDouble(wrong.get(0)),
                                lowRank.scaling(wrong.get(0))));
    }

    /** The first few of many names. */
    static String some(List<String> names) {
        String shown = String.join(", ", names.subList(0, Math.min(SHOWN, names.size())));
        return names.size() > SHOWN ? shown + " and " + (names.size() - SHOWN) + " more" : shown;
    }
}
