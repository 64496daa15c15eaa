package io.peft4j.models;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Reads what LLaMA and its many relatives have in common: names of modules, names of keys, and what
 * none of them has in this decoder. A family says in what it differs.
 */
final class LlamaStyle {

    /** The attention's linear layers in all families whose projections are not fused. */
    static final List<String> ATTENTION = List.of("q_proj", "k_proj", "v_proj", "o_proj");

    /** All linear layers but the head where nothing is fused. */
    static final List<String> LINEARS =
            List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");

    private final ConfigJson config;
    private final int queryHeads;
    private final int headDim;
    private final int contextLength;
    private double normEpsilon = 1e-6;
    private @Nullable Integer keyValueHeads;
    private double ropeTheta = 10_000;
    private OptionalInt originalLength = OptionalInt.empty();
    private boolean partialRotary;
    private Biases biases = Biases.NONE;
    private IntFunction<OptionalInt> windows = layer -> OptionalInt.empty();
    private @Nullable Experts experts;
    private List<String> queryKeyValue = List.of("q_proj", "k_proj", "v_proj");
    private String feedForward = "mlp";
    private List<String> gateUp = List.of("gate_proj", "up_proj");
    private String down = "down_proj";

    /** Begins with LLaMA itself. */
    LlamaStyle(ConfigJson config) {
        this.config = config;
        config.require("hidden_act", "silu", Set.of("silu", "swish"));
        if (config.has("quantization_config")) {
            throw config.wrong(
                    "quantization_config",
                    "no quantised weights",
                    config.json().get("quantization_config"));
        }
        requireZero("attention_dropout");
        queryHeads = config.size("num_attention_heads");
        headDim = headDim();
        contextLength = config.size("max_position_embeddings", 2048);
    }

    private int headDim() {
        int hidden = config.size("hidden_size");
        if (!config.has("head_dim") && hidden % queryHeads != 0) {
            throw config.wrong("hidden_size", "a multiple of the " + queryHeads + " heads", hidden);
        }
        int dim = config.size("head_dim", hidden / queryHeads);
        if (dim % 2 != 0) {
            throw config.wrong(
                    config.has("head_dim") ? "head_dim" : "hidden_size",
                    "an even width of a head",
                    dim);
        }
        return dim;
    }

    /** Refuses dropout inside the base model, and noise: the decoder has none. */
    LlamaStyle requireZero(String key) {
        if (config.number(key).orElse(0.0) != 0) {
            throw config.wrong(key, "0", config.json().get(key));
        }
        return this;
    }

    /** Refuses what the family's published code does not have, though its configs name it. */
    LlamaStyle requireFalse(String key) {
        if (config.flag(key).orElse(false)) {
            throw config.wrong(key, "false", true);
        }
        return this;
    }

    LlamaStyle normEpsilon(double orElse) {
        normEpsilon = orElse;
        return this;
    }

    /** How many there are if the config does not say; as many as query heads if never set. */
    LlamaStyle keyValueHeads(int orElse) {
        keyValueHeads = orElse;
        return this;
    }

    LlamaStyle ropeTheta(double orElse) {
        ropeTheta = orElse;
        return this;
    }

    LlamaStyle originalLength(int orElse) {
        originalLength = OptionalInt.of(orElse);
        return this;
    }

    LlamaStyle partialRotary() {
        partialRotary = true;
        return this;
    }

    LlamaStyle biases(Biases which) {
        biases = which;
        return this;
    }

    /** The attention window of each layer, given its number. */
    LlamaStyle windows(IntFunction<OptionalInt> ofLayer) {
        windows = ofLayer;
        return this;
    }

    LlamaStyle fused(String oneQueryKeyValue, String oneGateUp) {
        queryKeyValue = List.of(oneQueryKeyValue);
        gateUp = List.of(oneGateUp);
        return this;
    }

    LlamaStyle experts(Experts which, String block, String gate, String up, String back) {
        experts = which;
        feedForward = block;
        gateUp = List.of(gate, up);
        down = back;
        return this;
    }

    Architecture architecture() {
        RotaryEmbedding rotary =
                RotaryConfig.read(config, headDim, contextLength, ropeTheta, originalLength);
        if (!partialRotary && rotary.dimensions() != headDim) {
            throw config.wrong(
                    "partial_rotary_factor", "1", (double) rotary.dimensions() / headDim);
        }
        double epsilon = config.number("rms_norm_eps").orElse(normEpsilon);
        if (epsilon < 0) {
            throw config.wrong("rms_norm_eps", "no negative number", epsilon);
        }
        return new Architecture(
                config.size("vocab_size"),
                config.size("hidden_size"),
                headDim,
                contextLength,
                rotary,
                epsilon,
                false,
                biases,
                config.flag("tie_word_embeddings").orElse(false),
                layers(),
                experts,
                names());
    }

    private List<LayerShape> layers() {
        int keys = keyValueHeads();
        int width = config.size("intermediate_size");
        List<LayerShape> layers = new ArrayList<>();
        for (int i = 0; i < config.layerCount("num_hidden_layers"); i++) {
            layers.add(new LayerShape(queryHeads, keys, width, windows.apply(i)));
        }
        return layers;
    }

    private int keyValueHeads() {
        String key = "num_key_value_heads";
        boolean isNull = config.json().has(key); // which means one per query head, in all families
        int orElse = keyValueHeads == null || isNull ? queryHeads : keyValueHeads;
        int count = config.size(key, orElse);
        if (queryHeads % count != 0) {
            throw config.wrong(key, "a divisor of the " + queryHeads + " query heads", count);
        }
        return count;
    }

    private ModuleNames names() {
        return new ModuleNames(
                "model",
                "embed_tokens",
                "layers",
                "norm",
                "lm_head",
                "input_layernorm",
                "self_attn",
                queryKeyValue,
                "q_norm",
                "k_norm",
                "o_proj",
                "post_attention_layernorm",
                feedForward,
                gateUp,
                down);
    }

    /** A window that the config states; null is none, absent is what the family has. */
    static OptionalInt window(ConfigJson config, OptionalInt orElse) {
        String key = "sliding_window";
        if (config.has(key)) {
            return OptionalInt.of(config.size(key));
        }
        return config.json().has(key) ? OptionalInt.empty() : orElse;
    }
}
