package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.safetensors.Dtype;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Models of a few thousand random weights, one per family, and batches for them. */
final class TinyModels {

    static final int VOCABULARY = 50;

    private static final int ROWS = 2;
    private static final int TOKENS = 9;

    private static final Map<String, String> FAMILIES =
            Map.of(
                    "mixtral",
                    """
                    {"model_type": "mixtral", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64,
                     "num_local_experts": 4, "num_experts_per_tok": 2,
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "initializer_range": 0.3}
                    """,
                    "llama",
                    """
                    {"model_type": "llama", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64,
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "initializer_range": 0.3}
                    """,
                    "biased",
                    """
                    {"model_type": "llama", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 3, "head_dim": 4, "max_position_embeddings": 64,
                     "attention_bias": true, "mlp_bias": true,
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "initializer_range": 0.3}
                    """,
                    "qwen2",
                    """
                    {"model_type": "qwen2", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 6, "max_position_embeddings": 64,
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "initializer_range": 0.3}
                    """,
                    "mistral",
                    """
                    {"model_type": "mistral", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64,
                     "sliding_window": 4,
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "initializer_range": 0.3}
                    """,
                    "phi3",
                    """
                    {"model_type": "phi3", "vocab_size": 50, "hidden_size": 24,
                     "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3,
                     "num_key_value_heads": 3, "max_position_embeddings": 64,
                     "original_max_position_embeddings": 16, "partial_rotary_factor": 0.5,
                     "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.2],
                                      "long_factor": [2.0, 4.0]},
                     "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "initializer_range": 0.3}
                    """,
                    "openelm",
                    """
                    {"model_type": "openelm", "vocab_size": 50, "max_context_length": 64,
                     "num_transformer_layers": 2, "model_dim": 24, "head_dim": 4,
                     "num_gqa_groups": 3, "ffn_multipliers": [1.5, 2.0], "ffn_dim_divisor": 8,
                     "qkv_multipliers": [0.5, 1.0],
                     "normalize_qk_projections": true, "share_input_output_layers": true,
                     "initializer_range": 0.3}
                    """);

    private TinyModels() {}

    static JsonObject json(String family) {
        return JsonParser.parseString(FAMILIES.get(family)).getAsJsonObject();
    }

    /** Creates a model whose norms and biases are random too. */
    static CausalLm model(String family) {
        return model(json(family), Dtype.F32);
    }

    static CausalLm model(JsonObject json, Dtype type) {
        CausalLm model = CausalLm.create(ModelConfig.of(json, "tiny"), Device.cpu(), type, 7);
        Random random = new Random(11);
        try (RowWriter writer = new RowWriter(model.manager())) {
            for (Parameter parameter : model.parameters().values()) {
                Parameter.Type kind = parameter.getType();
                if (kind == Parameter.Type.BIAS || kind == Parameter.Type.GAMMA) {
                    float[] values = new float[(int) parameter.getShape().size()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] =
                                (kind == Parameter.Type.GAMMA ? 1 : 0)
                                        + 0.3f * (float) random.nextGaussian();
                    }
                    writer.put(parameter.getArray(), 0, FloatBuffer.wrap(values));
                }
            }
        }
        return model;
    }

    static NDArray ids(NDManager owner) {
        return ids(owner, 3, ROWS, TOKENS);
    }

    static NDArray ids(NDManager owner, long seed, int rows, int tokens) {
        long[] ids = new Random(seed).longs((long) rows * tokens, 0, VOCABULARY).toArray();
        return owner.create(ids, new Shape(rows, tokens));
    }

    /** Of two rows, the first one's first tokens are padding, and so are the second's last. */
    static NDArray mask(NDManager owner) {
        long[] mask = new long[ROWS * TOKENS];
        Arrays.fill(mask, 1);
        Arrays.fill(mask, 0, 3, 0);
        Arrays.fill(mask, 2 * TOKENS - 2, 2 * TOKENS, 0);
        return owner.create(mask, new Shape(ROWS, TOKENS));
    }

    /** Most tokens, but no padding. */
    static NDArray labels(NDManager owner, NDArray ids, @Nullable NDArray mask) {
        long[] labels = ids.toLongArray();
        long[] tokens = mask == null ? null : mask.toLongArray();
        for (int i = 0; i < labels.length; i++) {
            if (i % 5 == 2 || (tokens != null && tokens[i] == 0)) {
                labels[i] = -100;
            }
        }
        return owner.create(labels, ids.getShape());
    }
}
