package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelConfigTest {

    private static final String TABLE = "golden/openelm_table.json";

    /** Returns the published config of a size, without the expanded lists. */
    private static JsonObject published(int layers, int modelDim, int headDim) {
        JsonObject json = new JsonObject();
        json.addProperty("model_type", "openelm");
        json.addProperty("vocab_size", 32000);
        json.addProperty("max_context_length", 2048);
        json.addProperty("num_transformer_layers", layers);
        json.addProperty("model_dim", modelDim);
        json.addProperty("head_dim", headDim);
        json.addProperty("num_gqa_groups", 4);
        json.add("qkv_multipliers", array(0.5, 1.0));
        json.add("ffn_multipliers", array(0.5, 4.0));
        json.addProperty("ffn_dim_divisor", 256);
        json.addProperty("normalize_qk_projections", true);
        json.addProperty("share_input_output_layers", true);
        return json;
    }

    private static JsonArray array(Number... values) {
        JsonArray array = new JsonArray();
        List.of(values).forEach(array::add);
        return array;
    }

    private static ModelConfig config(JsonObject json) {
        return ModelConfig.of(json, "test.json");
    }

    @ParameterizedTest
    @CsvSource({
        "OpenELM-270M,16,1280,64",
        "OpenELM-450M,20,1536,64",
        "OpenELM-1_1B,28,2048,64",
        "OpenELM-3B,36,3072,128"
    })
    void publishedSizesFollowFromTheFormula(String name, int layers, int modelDim, int headDim)
            throws IOException {
        JsonObject expected =
                JsonParser.parseString(Files.readString(TestData.path(TABLE)))
                        .getAsJsonObject()
                        .getAsJsonObject(name);
        JsonObject json = published(layers, modelDim, headDim);
        ModelConfig config = config(json);
        assertLayers(config, expected);
        assertThat(config.parameterCount()).isEqualTo(expected.get("total").getAsLong());

        // as published: the lists, and multipliers per layer
        json.add("num_query_heads", expected.get("q_heads"));
        json.add("num_kv_heads", expected.get("kv_heads"));
        json.add("ffn_multipliers", expected.get("ffn_mult"));
        assertLayers(config(json), expected);
    }

    private static void assertLayers(ModelConfig config, JsonObject expected) {
        assertThat(config.layers().stream().map(LayerShape::queryHeads))
                .containsExactlyElementsOf(integers(expected.get("q_heads")));
        assertThat(config.layers().stream().map(LayerShape::keyValueHeads))
                .containsExactlyElementsOf(integers(expected.get("kv_heads")));
        assertThat(config.layers().stream().map(LayerShape::ffnWidth))
                .containsExactlyElementsOf(integers(expected.get("ffn_dim")));
    }

    private static List<Integer> integers(JsonElement array) {
        return array.getAsJsonArray().asList().stream().map(JsonElement::getAsInt).toList();
    }

    @Test
    void listsInTheFileWinOverTheMultipliers() {
        JsonObject json = published(3, 48, 8);
        json.add("num_query_heads", array(2, 4, 6));
        json.add("num_kv_heads", array(1, 4, 3));
        assertThat(config(json).layers().stream().map(LayerShape::allHeads))
                .containsExactly(4, 12, 12);
    }

    @Test
    void aSingleMultiplierHoldsForAllLayers() {
        JsonObject json = published(3, 512, 64);
        json.addProperty("qkv_multipliers", 1.0);
        json.addProperty("ffn_multipliers", 4.0);
        assertThat(config(json).layers()).containsOnly(new LayerShape(8, 2, 2048));
    }

    @Test
    void aRoundingThatWouldTakeOffATenthGoesUp() {
        assertThat(LayerWiseScaling.divisible(21.6, 16)).isEqualTo(32); // 16 < 0.9 * 21.6
        assertThat(LayerWiseScaling.divisible(47.04, 16)).isEqualTo(48);
        assertThat(LayerWiseScaling.divisible(3, 16)).isEqualTo(16);
    }

    @Test
    void tensorsAreNamedAndShapedAsInTheCheckpoint() throws IOException {
        ModelConfig config = ModelConfig.read(Golden.model().resolve("config.json"));
        assertThat(config.tensors())
                .hasSize(26)
                .containsEntry("transformer.token_embeddings.weight", new Shape(264, 48))
                .containsEntry("transformer.layers.0.attn.qkv_proj.weight", new Shape(64, 48))
                .containsEntry("transformer.layers.2.ffn.proj_1.weight", new Shape(160, 48))
                .containsEntry("transformer.norm.weight", new Shape(48));
        assertThat(config.parameterCount()).isEqualTo(54_528);
        assertThat(config.vocabularySize()).isEqualTo(264);
        assertThat(config.contextLength()).isEqualTo(64);
        assertThat(config.bosId()).hasValue(1);
        assertThat(config.eosIds()).containsExactly(2L);
        assertThat(config.dtype()).contains(Dtype.F32);
        assertThat(config.defaultTargetModules())
                .containsExactly("qkv_proj", "out_proj", "proj_1", "proj_2");
    }

    @Test
    void bothGenerationsOfTheElementTypesKeyAreReadAndWritten() {
        JsonObject json = published(2, 48, 8);
        json.addProperty("dtype", "bfloat16");
        assertThat(config(json).dtype()).contains(Dtype.BF16);
        JsonObject written = config(json).jsonWith(Dtype.F16);
        assertThat(written.get("dtype").getAsString()).isEqualTo("float16");
        assertThat(written.has("torch_dtype")).isFalse();
        json.remove("dtype");
        assertThat(config(json).jsonWith(Dtype.BF16).get("torch_dtype").getAsString())
                .isEqualTo("bfloat16");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model_type | \"gpt2\" | supported families (openelm, llama, mistral, mixtral, phi3, qwen2), found \"gpt2\"",
                "model_type | null | \"model_type\" is missing",
                "ffn_with_glu | false | \"ffn_with_glu\": expected true",
                "activation_fn_name | \"gelu\" | \"activation_fn_name\": expected one of",
                "normalization_layer_name | \"layer_norm\" | expected one of [rms_norm]",
                "head_dim | 7 | \"head_dim\": expected an even number",
                "vocab_size | 0 | \"vocab_size\": expected a whole number from 1",
                "vocab_size | \"many\" | \"vocab_size\": expected a number, found \"many\"",
                "vocab_size | 1.5 | expected a whole number of 32 bits",
                "num_query_heads | [4, 4] | a list of 3 numbers, one per layer",
                "num_kv_heads | [2, 3, 2] | layer 1: expected query heads that are a multiple",
                "ffn_multipliers | [1, 2, 3, 4] | two (a range) or 3 (one per layer)",
                "qkv_multipliers | [-1, 1] | \"qkv_multipliers\": expected a positive number",
                "num_transformer_layers | 2000000000 | at most",
            })
    void aWrongValueIsNamed(String key, String value, String message) {
        JsonObject json = published(3, 512, 64);
        json.add(key, JsonParser.parseString(value));
        assertThatThrownBy(() -> config(json))
                .isInstanceOf(ModelConfigException.class)
                .hasMessageContaining("test.json")
                .hasMessageContaining(message);
    }

    @Test
    void aFileThatIsNoObjectIsRefused(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("config.json"), "[1]");
        assertThatThrownBy(() -> ModelConfig.read(file))
                .isInstanceOf(ModelConfigException.class)
                .hasMessageContaining(file + ": expected a JSON object");
    }
}
