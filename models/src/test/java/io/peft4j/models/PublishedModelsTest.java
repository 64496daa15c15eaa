package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.Arrays;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes and configs that are published, and a real pretrained model. */
class PublishedModelsTest {

    private static ModelConfig config(String type, String keys) {
        JsonObject json = JsonParser.parseString("{" + keys + "}").getAsJsonObject();
        json.addProperty("model_type", type);
        return ModelConfig.of(json, type);
    }

    /** The sizes are in the order of the config's keys: hidden, inner, layers, heads, context. */
    @ParameterizedTest
    @CsvSource({
        "LLaMA 3 8B,          llama,   4096, 14336, 32, 32,  8, 128256,   8192, false,   8030261248",
        "LLaMA 3 70B,         llama,   8192, 28672, 80, 64,  8, 128256,   8192, false,  70553706496",
        "LLaMA 3.1 405B,      llama,  16384, 53248,126,128,  8, 128256, 131072, false, 405853388800",
        "LLaMA 3.2 1B,        llama,   2048,  8192, 16, 32,  8, 128256, 131072, true,    1235814400",
        "LLaMA 3.2 3B,        llama,   3072,  8192, 28, 24,  8, 128256, 131072, true,    3212749824",
        "Phi-3-mini,          phi3,    3072,  8192, 32, 32, 32,  32064,   4096, false,   3821079552",
        "Mistral 7B,          mistral, 4096, 14336, 32, 32,  8,  32000,  32768, false,   7241732096",
        "Mixtral 8x7B,        mixtral, 4096, 14336, 32, 32,  8,  32000,  32768, false,  46702792704",
        "Mixtral 8x22B,       mixtral, 6144, 16384, 56, 48,  8,  32000,  65536, false, 140620634112",
        "Qwen2 0.5B,          qwen2,    896,  4864, 24, 14,  2, 151936, 131072, true,     494032768",
        "Qwen2 7B,            qwen2,   3584, 18944, 28, 28,  4, 152064, 131072, false,   7615616512"
    })
    void sizesHaveTheirNumberOfParameters(
            String name,
            String type,
            int hidden,
            int inner,
            int layers,
            int heads,
            int keyValueHeads,
            int vocabulary,
            int context,
            boolean tied,
            long parameters) {
        ModelConfig config =
                config(
                        type,
                        String.join(
                                ",",
                                "\"hidden_size\":" + hidden,
                                "\"intermediate_size\":" + inner,
                                "\"num_hidden_layers\":" + layers,
                                "\"num_attention_heads\":" + heads,
                                "\"num_key_value_heads\":" + keyValueHeads,
                                "\"vocab_size\":" + vocabulary,
                                "\"max_position_embeddings\":" + context,
                                "\"tie_word_embeddings\":" + tied));
        assertThat(config.parameterCount()).as(name).isEqualTo(parameters);
        assertThat(config.hasTiedHead()).isEqualTo(tied);
    }

    @Test
    void thePublishedConfigOfPhi3Mini128kIsReadWithBothSetsOfFactors() {
        String factors = "[" + "1.5,".repeat(47) + "2]";
        ModelConfig config =
                config(
                        "phi3",
                        "\"hidden_size\":3072,\"intermediate_size\":8192,\"num_hidden_layers\":32,"
                                + "\"num_attention_heads\":32,\"num_key_value_heads\":32,"
                                + "\"vocab_size\":32064,\"max_position_embeddings\":131072,"
                                + "\"original_max_position_embeddings\":4096,"
                                + "\"rope_theta\":10000.0,\"sliding_window\":262144,"
                                + "\"rope_scaling\":{\"type\":\"su\",\"short_factor\":"
                                + factors
                                + ",\"long_factor\":"
                                + factors
                                + "}");
        RotaryScaling scaling = config.architecture().rotary().scaling();
        assertThat(scaling).isInstanceOf(RotaryScaling.LongRope.class);
        assertThat(scaling.amplitude()).isCloseTo(1.190238, within(1e-6));
        assertThat(scaling.regime(4096)).isNotEqualTo(scaling.regime(4097));
        assertThat(config.layers().get(0).window()).isEqualTo(OptionalInt.of(262_144));
    }

    @Test
    void aRealPretrainedModelHasTheLossAndTheTextThatItHasInTransformers() {
        try (CausalLm model = Golden.load("stories260K/model");
                Golden golden = Golden.open("stories260K/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            assertThat(model.config().parameterCount()).isEqualTo(260_032);
            NDArray ids = golden.array("input_ids");
            double[] sums = model.rowLosses(ids, ids);
            assertThat((sums[0] + sums[1]) / 126)
                    .isCloseTo(golden.floats("loss")[0], within(Golden.LOSS));
            float[] logits = model.logits(scope, ids, null).toFloatArray();
            float[] expected = golden.floats("last_logits");
            for (int row = 0; row < 2; row++) {
                int last = (row * 64 + 63) * 512;
                assertClose(
                        "row " + row,
                        Arrays.copyOfRange(logits, last, last + 512),
                        Arrays.copyOfRange(expected, row * 512, row * 512 + 512),
                        1e-4);
            }
            long[] greedy = golden.longs("greedy");
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(63).build();
            long[] text = new Generator().generate(model, new long[] {1}, config, token -> {});
            assertThat(text).containsExactly(Arrays.copyOfRange(greedy, 1, 64));
        }
    }
}
