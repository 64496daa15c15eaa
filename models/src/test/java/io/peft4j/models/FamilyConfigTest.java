package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the families read from their configs, and what they refuse. */
class FamilyConfigTest {

    private static JsonObject published(String family) throws IOException {
        return JsonParser.parseString(
                        Files.readString(TestData.path("golden/" + family + "/model/config.json")))
                .getAsJsonObject();
    }

    private static ModelConfig changed(String family, String changes) throws IOException {
        JsonObject json = published(family);
        JsonParser.parseString("{" + changes + "}").getAsJsonObject().asMap().forEach(json::add);
        return ModelConfig.of(json, "test.json");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama3 | 'hidden_act': 'gelu' | \"hidden_act\": expected one of [silu, swish]",
                "llama3 | 'attention_dropout': 0.1 | \"attention_dropout\": expected 0, found 0.1",
                "llama3 | 'quantization_config': {'bits': 4} | expected no quantised weights",
                "llama3 | 'hidden_size': null | \"hidden_size\" is missing",
                "llama3 | 'hidden_size': 50 | expected a multiple of the 4 heads, found 50",
                "llama3 | 'head_dim': 13 | \"head_dim\": expected an even width of a head",
                "llama3 | 'num_key_value_heads': 3 | expected a divisor of the 4 query heads",
                "llama3 | 'num_hidden_layers': 1001 | expected at most 1000, found 1001",
                "llama3 | 'rms_norm_eps': -1 | \"rms_norm_eps\": expected no negative number",
                "llama3 | 'rope_theta': 0 | \"rope_theta\": expected a positive number",
                "llama3 | 'rope_scaling': {'type': 'yarn'} | \"rope_scaling\": \"type\": expected one"
                        + " of default, linear, llama3, longrope, su, found \"yarn\"",
                "llama3 | 'rope_scaling': {'rope_type': 'dynamic'} | \"rope_type\": expected one of",
                "llama3 | 'rope_scaling': {'rope_type': 'linear'} | \"factor\" is missing",
                "llama3 | 'rope_scaling': 'llama3' | \"rope_scaling\": expected an object",
                "llama3 | 'rope_parameters': {'rope_type': 'ntk'} | \"rope_parameters\": \"rope_type\"",
                "llama3 | 'rope_scaling': {'rope_type': 'llama3', 'factor': 8, 'low_freq_factor': 4,"
                        + " 'high_freq_factor': 4} | expected more than low_freq_factor 4.0",
                "llama3 | 'partial_rotary_factor': 0.5 | \"partial_rotary_factor\": expected 1",
                "mistral | 'sliding_window': 0 | \"sliding_window\": expected a whole number from 1",
                "qwen2 | 'layer_types': ['full_attention'] | \"layer_types\": expected 3 times",
                "qwen2 | 'layer_types': ['full_attention', 'full_attention', 'linear_attention'] |"
                        + " full_attention or sliding_attention, one per layer",
                "qwen2 | 'use_sliding_window': false, 'layer_types': ['full_attention',"
                        + " 'sliding_attention', 'sliding_attention'] | without a sliding_window",
                "phi3 | 'resid_pdrop': 0.1 | \"resid_pdrop\": expected 0",
                "phi3 | 'embd_pdrop': 0.1 | \"embd_pdrop\": expected 0",
                "phi3 | 'attention_bias': true | \"attention_bias\": expected false, found true",
                "phi3 | 'lm_head_bias': true | \"lm_head_bias\": expected false",
                "qwen2 | 'use_mrope': true | \"use_mrope\": expected false",
                "phi3 | 'partial_rotary_factor': 0.25 | even number of a head's 12 dimensions",
                "phi3 | 'rope_scaling': {'type': 'longrope', 'short_factor': [1, 2]} |"
                        + " \"short_factor\": expected a list of 6 positive numbers",
                "mixtral | 'router_jitter_noise': 0.01 | \"router_jitter_noise\": expected 0",
                "mixtral | 'num_experts_per_tok': 9 | \"num_experts_per_tok\": expected at most 8"
            })
    void whatTheDecoderDoesNotHaveIsRefusedByName(String family, String changes, String message) {
        assertThatThrownBy(() -> changed(family, changes.replace('\'', '"')))
                .isInstanceOf(ModelConfigException.class)
                .hasMessageStartingWith("test.json: \"")
                .hasMessageContaining(message);
    }

    @Test
    void tensorsCarryTheNamesOfTheCheckpoint() throws IOException {
        assertThat(changed("llama3", "").tensors())
                .containsEntry("model.layers.1.self_attn.k_proj.weight", new Shape(24, 48))
                .containsEntry("model.layers.0.mlp.down_proj.weight", new Shape(48, 64))
                .containsEntry("lm_head.weight", new Shape(264, 48))
                .hasSize(2 * 9 + 3);
        assertThat(changed("llama_bias", "").tensors())
                .containsEntry("model.layers.0.self_attn.o_proj.bias", new Shape(32))
                .containsEntry("model.layers.0.mlp.up_proj.bias", new Shape(40));
        assertThat(changed("qwen2", "").tensors())
                .containsEntry("model.layers.2.self_attn.q_proj.bias", new Shape(32))
                .doesNotContainKeys("model.layers.2.self_attn.o_proj.bias", "lm_head.weight");
        assertThat(changed("phi3", "").tensors())
                .containsEntry("model.layers.0.mlp.gate_up_proj.weight", new Shape(144, 48));
        assertThat(changed("mixtral", "").tensors())
                .containsEntry("model.layers.0.block_sparse_moe.gate.weight", new Shape(8, 48))
                .containsEntry(
                        "model.layers.0.block_sparse_moe.experts.1.w1.weight", new Shape(24, 48));
    }

    @Test
    void windowsAreThoseOfTheLayers() throws IOException {
        OptionalInt none = OptionalInt.empty();
        assertThat(windows("qwen2", ""))
                .containsExactly(none, OptionalInt.of(5), OptionalInt.of(5));
        assertThat(windows("qwen2", "\"use_sliding_window\": false")).containsOnly(none);
        assertThat(windows("mistral", "")).containsOnly(OptionalInt.of(4));
        assertThat(windows("mistral", "\"sliding_window\": null")).containsOnly(none);
        JsonObject without = published("mistral");
        without.remove("sliding_window");
        assertThat(ModelConfig.of(without, "test.json").layers().get(0).window())
                .isEqualTo(OptionalInt.of(4096));
    }

    private static List<OptionalInt> windows(String family, String changes) throws IOException {
        return changed(family, changes).layers().stream().map(LayerShape::window).toList();
    }

    @Test
    void oneKeyValueHeadPerQueryHeadUnlessTheConfigSaysOtherwise() throws IOException {
        assertThat(changed("llama3", "\"num_key_value_heads\": null").layers().get(0))
                .isEqualTo(new LayerShape(4, 4, 64));
        JsonObject without = published("llama3");
        without.remove("num_key_value_heads");
        assertThat(ModelConfig.of(without, "test.json").layers().get(0).keyValueHeads())
                .isEqualTo(4);
    }
}
