package io.peft4j.models;

import java.util.List;
import java.util.OptionalInt;
import java.util.function.IntFunction;

/**
 * Qwen 2 and 2.5 (arXiv:2407.10671): LLaMA with biases on queries, keys and values, often a tied
 * head, and an attention window in the layers from {@code max_window_layers} on, if it is used.
 */
final class Qwen2 implements ModelFamily {

    private static final String WINDOWED = "sliding_attention";

    @Override
    public String modelType() {
        return "qwen2";
    }

    @Override
    public List<String> targetModules() {
        return LlamaStyle.LINEARS;
    }

    /** PEFT takes the queries in the place of the keys here. */
    @Override
    public List<String> ia3TargetModules(ModuleNames names) {
        return List.of("q_proj", "v_proj", "down_proj");
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        return new LlamaStyle(config)
                .requireFalse("use_mrope")
                .keyValueHeads(32)
                .biases(new Biases(true, false, false))
                .windows(windows(config))
                .architecture();
    }

    private static IntFunction<OptionalInt> windows(ConfigJson config) {
        boolean used = config.flag("use_sliding_window").orElse(false);
        OptionalInt window =
                used ? LlamaStyle.window(config, OptionalInt.of(4096)) : OptionalInt.empty();
        if (!config.has("layer_types")) {
            int first = config.integer("max_window_layers").orElse(28);
            return layer -> layer >= first ? window : OptionalInt.empty();
        }
        List<String> types = config.strings("layer_types");
        int count = config.layerCount("num_hidden_layers");
        boolean known =
                types.stream().allMatch(type -> type.equals("full_attention") || isWindowed(type));
        if (!known || types.size() != count) {
            throw config.wrong(
                    "layer_types",
                    count + " times full_attention or " + WINDOWED + ", one per layer",
                    types);
        }
        if (window.isEmpty() && types.stream().anyMatch(Qwen2::isWindowed)) {
            throw config.wrong(
                    "layer_types", "no " + WINDOWED + " without a sliding_window", types);
        }
        return layer -> isWindowed(types.get(layer)) ? window : OptionalInt.empty();
    }

    private static boolean isWindowed(String type) {
        return type.equals(WINDOWED);
    }
}
