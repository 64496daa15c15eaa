package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers whose backward is written by hand, against autograd over the blocks. */
class LayerKernelsTest {

    private static final int ROWS = 2;
    private static final int TOKENS = 9;
    private static final int VOCABULARY = 50;

    private static final Map<String, String> FAMILIES =
            Map.of(
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

    static ModelConfig modelConfig(String family) {
        JsonObject json = JsonParser.parseString(FAMILIES.get(family)).getAsJsonObject();
        return ModelConfig.of(json, family);
    }

    static CausalLm model(String family) {
        CausalLm model = CausalLm.create(modelConfig(family), Device.cpu(), 7);
        Random random = new Random(11);
        try (RowWriter writer = new RowWriter(model.manager())) {
            for (Parameter parameter : model.parameters().values()) {
                Parameter.Type type = parameter.getType();
                if (type == Parameter.Type.BIAS || type == Parameter.Type.GAMMA) {
                    float[] values = new float[(int) parameter.getShape().size()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] =
                                (type == Parameter.Type.GAMMA ? 1 : 0)
                                        + 0.3f * (float) random.nextGaussian();
                    }
                    writer.put(parameter.getArray(), 0, java.nio.FloatBuffer.wrap(values));
                }
            }
        }
        return model;
    }

    static AdapterConfig config(String method, double dropout, String... targets) {
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build()
                : DoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build();
    }

    static NDArray ids(NDManager owner) {
        long[] ids = new Random(3).longs(ROWS * TOKENS, 0, VOCABULARY).toArray();
        return owner.create(ids, new Shape(ROWS, TOKENS));
    }

    /** The first row's first tokens are padding, and so are the second's last. */
    static NDArray mask(NDManager owner) {
        long[] mask = new long[ROWS * TOKENS];
        Arrays.fill(mask, 1);
        Arrays.fill(mask, 0, 3, 0);
        Arrays.fill(mask, 2 * TOKENS - 2, 2 * TOKENS, 0);
        return owner.create(mask, new Shape(ROWS, TOKENS));
    }

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

    /** Runs both ways and compares losses and gradients. */
    static void assertSame(CausalLm model, AdaptedModel adapted, boolean padded, boolean changed) {
        if (changed) {
            TrainingGradientTest.randomise(model, adapted);
        }
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = ids(scope);
            NDArray mask = padded ? mask(scope) : null;
            NDArray labels = labels(scope, ids, mask);
            model.useLayerKernels(false);
            io.peft4j.torch.TorchRuntime.seed(5);
            double[] expectedLosses = model.backward(ids, mask, labels, 10);
            assertThat(model.wasByLayerKernels()).isFalse();
            Map<String, float[]> expected =
                    TrainingGradientTest.takeGradients(adapted.adapter().parameters());
            model.useLayerKernels(true);
            io.peft4j.torch.TorchRuntime.seed(5);
            double[] losses = model.backward(ids, mask, labels, 10);
            assertThat(model.wasByLayerKernels()).isTrue();
            Map<String, float[]> actual =
                    TrainingGradientTest.takeGradients(adapted.adapter().parameters());
            for (int i = 0; i < losses.length; i++) {
                assertThat(losses[i])
                        .isCloseTo(expectedLosses[i], within(1e-5 * Math.abs(expectedLosses[i])));
            }
            assertThat(actual).isNotEmpty();
            actual.forEach((name, values) -> assertClose(name, values, expected.get(name)));
        }
    }

    private static void assertClose(String name, float[] actual, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < actual.length; i++) {
            difference += Math.pow(actual[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        assertThat(Math.sqrt(difference))
                .as(name + " of norm " + Math.sqrt(norm))
                .isLessThanOrEqualTo(1e-5 * Math.sqrt(norm) + 1e-9);
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,false",
        "llama,dora,false",
        "llama,lora,true",
        "llama,dora,true",
        "biased,lora,false",
        "biased,dora,true",
        "qwen2,lora,true",
        "qwen2,dora,false",
        "mistral,lora,false",
        "mistral,dora,true",
        "phi3,lora,true",
        "phi3,dora,false",
        "openelm,lora,false",
        "openelm,dora,true"
    })
    void gradientsOfAllLinearLayersAreAutograds(String family, String method, boolean padded) {
        try (CausalLm model = model(family);
                AdaptedModel adapted =
                        Adapters.attach(model.block(), config(method, 0, "all-linear"), 1)) {
            assertSame(model, adapted, padded, true);
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,lora", "llama,dora", "biased,dora", "phi3,lora", "openelm,dora"})
    void dropoutDropsTheSameElementsAsWithAutograd(String family, String method) {
        try (CausalLm model = model(family);
                AdaptedModel adapted =
                        Adapters.attach(model.block(), config(method, 0.3, "all-linear"), 1)) {
            assertSame(model, adapted, false, true);
        }
    }

    @Test
    void aNewAdapterHasAutogradsGradients() {
        try (CausalLm model = model("llama");
                AdaptedModel adapted =
                        Adapters.attach(model.block(), config("dora", 0, "all-linear"), 1)) {
            assertSame(model, adapted, false, false);
        }
    }

    @ParameterizedTest
    @CsvSource({"LINEAR,lora", "LINEAR,dora", "ONEDNN,lora", "ONEDNN,dora"})
    void everyProductGivesAutogradsGradients(MatrixProduct product, String method) {
        try (CausalLm model = model("biased");
                AdaptedModel adapted =
                        Adapters.attach(model.block(), config(method, 0, "all-linear"), 1)) {
            assumeThat(product.isFor(ScalarType.FLOAT32, Device.cpu())).isTrue();
            model.useMatrixProduct(product);
            assertSame(model, adapted, false, true);
        }
    }

    /** Against float32 of the same weights; 0.8 % is what the type itself rounds by at most. */
    @ParameterizedTest
    @CsvSource({
        "BF16,LINEAR,lora,0.03",
        "BF16,WIDENED,lora,0.03",
        "BF16,WIDENED,dora,0.03",
        "F16,WIDENED,dora,0.005"
    })
    void lowPrecisionHasTheGradientsOfFloat32(
            Dtype type, MatrixProduct product, String method, double tolerance, @TempDir Path dir)
            throws IOException {
        JsonObject json = JsonParser.parseString(FAMILIES.get("biased")).getAsJsonObject();
        try (CausalLm low =
                CausalLm.create(ModelConfig.of(json, "biased"), Device.cpu(), type, 7)) {
            low.save(dir, type);
            try (CausalLm wide = CausalLm.load(dir, Device.cpu());
                    AdaptedModel expected =
                            Adapters.attach(wide.block(), config(method, 0, "all-linear"), 1);
                    AdaptedModel actual =
                            Adapters.attach(low.block(), config(method, 0, "all-linear"), 1)) {
                TrainingGradientTest.randomise(wide, expected);
                TrainingGradientTest.randomise(low, actual);
                low.useMatrixProduct(product);
                Map<String, float[]> of32 = gradients(wide, expected);
                Map<String, float[]> of16 = gradients(low, actual);
                assertThat(low.wasByLayerKernels()).isTrue();
                assertThat(relativeDifference(of16, of32)).isLessThan(tolerance).isPositive();
            }
        }
    }

    @Test
    void aProductOfAnotherTypeIsRefused() {
        try (CausalLm model = model("llama")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> model.useMatrixProduct(MatrixProduct.WIDENED))
                    .withMessageContaining("FLOAT32")
                    .withMessageContaining("WIDENED");
        }
    }

    private static Map<String, float[]> gradients(CausalLm model, AdaptedModel adapted) {
        try (NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = ids(scope);
            model.backward(ids, null, labels(scope, ids, null), 10);
            return TrainingGradientTest.takeGradients(adapted.adapter().parameters());
        }
    }

    private static double relativeDifference(
            Map<String, float[]> actual, Map<String, float[]> expected) {
        double difference = 0;
        double norm = 0;
        for (Map.Entry<String, float[]> entry : expected.entrySet()) {
            float[] values = actual.get(entry.getKey());
            for (int i = 0; i < values.length; i++) {
                difference += Math.pow(values[i] - entry.getValue()[i], 2);
                norm += Math.pow(entry.getValue()[i], 2);
            }
        }
        return Math.sqrt(difference / norm);
    }
}
