package io.peft4j.models;

import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * OpenELM (Mehta et al., arXiv:2404.14619): layer-wise scaling, norms on queries and keys, fused
 * projections, usually a tied head.
 */
final class OpenElm implements ModelFamily {

    // not in config.json: fixed in the published modeling code
    private static final double NORM_EPSILON = 1e-6;

    private static final ModuleNames NAMES =
            new ModuleNames(
                    "transformer",
                    "token_embeddings",
                    "layers",
                    "norm",
                    "lm_head",
                    "attn_norm",
                    "attn",
                    List.of("qkv_proj"),
                    "q_norm",
                    "k_norm",
                    "out_proj",
                    "ffn_norm",
                    "ffn",
                    List.of("proj_1"),
                    "proj_2");

    @Override
    public String modelType() {
        return "openelm";
    }

    @Override
    public List<String> targetModules() {
        return List.of("qkv_proj", "out_proj", "proj_1", "proj_2");
    }

    @Override
    public Architecture architecture(ConfigJson config) {
        config.require("activation_fn_name", "swish", Set.of("swish", "silu"));
        config.require("normalization_layer_name", "rms_norm", Set.of("rms_norm"));
        if (!config.flag("ffn_with_glu").orElse(true)) {
            throw config.wrong("ffn_with_glu", "true (a gated feed-forward network)", false);
        }
        int headDim = config.size("head_dim", 128);
        if (headDim % 2 != 0) {
            throw config.wrong("head_dim", "an even number", headDim);
        }
        return new Architecture(
                config.size("vocab_size", 32000),
                config.size("model_dim", 2048),
                headDim,
                config.size("max_context_length", 2048),
                new RotaryEmbedding(
                        config.number("rope_freq_constant").orElse(10000.0),
                        headDim,
                        new RotaryScaling.None()),
                NORM_EPSILON,
                config.flag("normalize_qk_projections").orElse(false),
                Biases.NONE,
                config.flag("share_input_output_layers").orElse(false),
                layers(config),
                null,
                NAMES);
    }

    @Override
    public void untie(JsonObject json) {
        json.addProperty("share_input_output_layers", false);
        // true unless said otherwise: transformers would tie the head that the key above has made
        json.addProperty("tie_word_embeddings", false);
    }

    /** The lists of published files win over the multipliers they were made from. */
    private static List<LayerShape> layers(ConfigJson config) {
        int count = config.layerCount("num_transformer_layers", 12);
        int modelDim = config.size("model_dim", 2048);
        int groups = config.size("num_gqa_groups", 1);
        List<Integer> queryHeads =
                config.has("num_query_heads")
                        ? perLayer(config, "num_query_heads", count)
                        : LayerWiseScaling.queryHeads(
                                multipliers(config, "qkv_multipliers", 1.0),
                                count,
                                modelDim,
                                config.size("head_dim", 128),
                                groups);
        List<Integer> keyValueHeads =
                config.has("num_kv_heads")
                        ? perLayer(config, "num_kv_heads", count)
                        : queryHeads.stream().map(heads -> heads / groups).toList();
        List<Integer> widths =
                LayerWiseScaling.ffnWidths(
                        multipliers(config, "ffn_multipliers", 4.0),
                        count,
                        modelDim,
                        config.size("ffn_dim_divisor", 256));
        List<LayerShape> layers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            try {
                layers.add(new LayerShape(queryHeads.get(i), keyValueHeads.get(i), widths.get(i)));
            } catch (IllegalArgumentException e) {
                throw new ModelConfigException(
                        config.source() + ": layer " + i + ": " + e.getMessage());
            }
        }
        return layers;
    }

    private static List<Integer> perLayer(ConfigJson config, String key, int count) {
        List<Integer> values = config.integers(key);
        if (!config.isList(key) || values.size() != count) {
            throw config.wrong(
                    key, "a list of " + count + " numbers, one per layer", config.json().get(key));
        }
        return values;
    }

    /** A number for all layers, the two ends of a range, or one number per layer. */
    private static List<Double> multipliers(ConfigJson config, String key, double orElse) {
        if (!config.has(key)) {
            return List.of(orElse);
        }
        List<Double> values = config.numbers(key);
        int count = config.size("num_transformer_layers", 12);
        boolean sized =
                values.size() == 2
                        || (config.isList(key) ? values.size() == count : values.size() == 1);
        if (!sized || values.stream().anyMatch(value -> value <= 0)) {
            throw config.wrong(
                    key,
                    "a positive number, two (a range) or " + count + " (one per layer)",
                    config.json().get(key));
        }
        return values;
    }
}
