package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PeftConfigTest {

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "golden/openelm/lora",
                "golden/openelm/dora",
                "golden/openelm/lora_embed",
                "peft/lora",
                "peft/dora",
                "peft/conv",
                "peft/bias_all",
                "peft/mts",
                "peft/tok"
            })
    void whatPeftWroteIsWrittenAgainWithTheSameValues(String adapter) throws IOException {
        Path original = TestData.path(adapter + "/adapter_config.json");
        Path copy = folder.resolve(PeftConfig.FILE_NAME);

        PeftConfig.read(original).write(copy);

        JsonObject before = StrictJson.read(original, 1_000_000, 8).getAsJsonObject();
        JsonObject after = StrictJson.read(copy, 1_000_000, 8).getAsJsonObject();
        assertThat(after.keySet()).hasSize(19).isSubsetOf(before.keySet());
        for (String key : after.keySet()) {
            if (key.equals("target_modules")) {
                assertThat(after.getAsJsonArray(key))
                        .containsExactlyInAnyOrderElementsOf(before.getAsJsonArray(key));
            } else {
                assertThat(after.get(key)).as(key).isEqualTo(before.get(key));
            }
        }
    }

    @Test
    void theTextIsSortedIndentedByTwoAndAlwaysTheSame() {
        Map<String, Integer> ranks = new LinkedHashMap<>();
        ranks.put("out_proj", 2);
        ranks.put("attn.qkv_proj", 4);
        PeftConfig config =
                PeftConfig.builder()
                        .optTaskType("CAUSAL_LM")
                        .optBaseModel("apple/OpenELM-270M")
                        .optRank(16)
                        .optAlpha(32)
                        .optDropout(0.05)
                        .optTargetModules(ModuleFilter.of("qkv_proj", "out_proj"))
                        .optRankPattern(ranks)
                        .optAlphaPattern(Map.of("proj_1", 2.5))
                        .optDora(true)
                        .build();

        assertThat(config.toJson())
                .isEqualTo(
                        """
                        {
                          "alpha_pattern": {
                            "proj_1": 2.5
                          },
                          "base_model_name_or_path": "apple/OpenELM-270M",
                          "bias": "none",
                          "fan_in_fan_out": false,
                          "inference_mode": true,
                          "init_lora_weights": true,
                          "layers_pattern": null,
                          "layers_to_transform": null,
                          "lora_alpha": 32,
                          "lora_dropout": 0.05,
                          "modules_to_save": null,
                          "peft_type": "LORA",
                          "r": 16,
                          "rank_pattern": {
                            "out_proj": 2,
                            "attn.qkv_proj": 4
                          },
                          "revision": null,
                          "target_modules": [
                            "out_proj",
                            "qkv_proj"
                          ],
                          "task_type": "CAUSAL_LM",
                          "use_dora": true,
                          "use_rslora": false
                        }""");
    }

    @Test
    void everythingSurvivesWritingAndReading() throws IOException {
        PeftConfig config =
                PeftConfig.builder()
                        .optRevision("v1")
                        .optInferenceMode(false)
                        .optAlpha(2.5)
                        .optBias("lora_only")
                        .optFanInFanOut(true)
                        .optTargetModules(ModuleFilter.of("é\"", "b"))
                        .optExcludeModules(ModuleFilter.matching(".*\\.7\\..*"))
                        .optModulesToSave(List.of("lm_head"))
                        .optInitialization("gaussian")
                        .optLayersToTransform(List.of(3, 1))
                        .optLayersPattern(List.of("h"))
                        .optRankPattern(Map.of("b", 3))
                        .optRslora(true)
                        .build();
        Path file = folder.resolve("c.json");

        config.write(file);
        PeftConfig read = PeftConfig.read(file);

        assertThat(read.toJson()).isEqualTo(config.toJson());
        assertThat(read.excludeModules()).isEqualTo(ModuleFilter.matching(".*\\.7\\..*"));
        assertThat(read.layersToTransform()).containsExactly(3, 1);
        assertThat(read.initialization()).isEqualTo("gaussian");
        assertThat(read.inferenceMode()).isFalse();
    }

    @Test
    void theOldestFilesNeedOnlyAFewKeys() throws IOException {
        PeftConfig config =
                read(
                        "{\"peft_type\":\"LORA\",\"target_modules\":\".*q_proj\",\"enable_lora\":null,\"merge_weights\":false}");

        assertThat(config.rank()).isEqualTo(8);
        assertThat(config.initialization()).isEqualTo("true");
        assertThat(config.targetModules()).isEqualTo(ModuleFilter.matching(".*q_proj"));
        assertThat(config.unsupportedFeatures()).isEmpty();
        assertThat(config.otherKeys()).containsOnlyKeys("enable_lora", "merge_weights");
    }

    @Test
    void whatGoesBeyondLoraAndDoraIsNamed() throws IOException {
        PeftConfig config =
                read(
                        "{\"peft_type\":\"LORA\",\"lora_bias\":true,\"layer_replication\":[[0,2]],\"megatron_core\":\"megatron.core\",\"use_qalora\":false,\"eva_config\":{\"rho\":2.0},\"new_in_0_99\":1}");

        assertThat(config.unsupportedFeatures())
                .containsExactly("lora_bias=true", "layer_replication=[[0,2]]", "new_in_0_99=1");
        assertThat(config.toJson()).doesNotContain("new_in_0_99");
        assertThat(
                        PeftConfig.read(TestData.path("peft/tok/adapter_config.json"))
                                .unsupportedFeatures())
                .singleElement()
                .asString()
                .startsWith("trainable_token_indices=");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[]|expected a JSON object, found a list",
                "{}|peft_type: expected the method",
                "{\"peft_type\":1}|peft_type: expected a string, found 1",
                "{\"peft_type\":\"LORA\",\"r\":0}|r: expected a rank of at least 1, found 0",
                "{\"peft_type\":\"LORA\",\"r\":8.0}|r: expected an integer, found 8.0",
                "{\"peft_type\":\"LORA\",\"r\":\"8\"}|r: expected an integer, found \"8\"",
                "{\"peft_type\":\"LORA\",\"r\":99999999999}|r: expected an integer, found 99999999999",
                "{\"peft_type\":\"LORA\",\"lora_alpha\":1e400}|lora_alpha: expected a finite number",
                "{\"peft_type\":\"LORA\",\"lora_dropout\":1}|lora_dropout: expected 0 to below 1, found 1.0",
                "{\"peft_type\":\"LORA\",\"lora_dropout\":-0.1}|lora_dropout: expected 0 to below 1",
                "{\"peft_type\":\"LORA\",\"bias\":\"some\"}|bias: expected none, all or lora_only, found some",
                "{\"peft_type\":\"LORA\",\"use_dora\":\"yes\"}|use_dora: expected true or false",
                "{\"peft_type\":\"LORA\",\"target_modules\":{}}|target_modules: expected a string, found an object",
                "{\"peft_type\":\"LORA\",\"target_modules\":[1]}|target_modules: expected a string, found 1",
                "{\"peft_type\":\"LORA\",\"rank_pattern\":[]}|rank_pattern: expected an object, found a list",
                "{\"peft_type\":\"LORA\",\"rank_pattern\":{\"a\":0}}|rank_pattern a: expected a rank of at least 1",
                "{\"peft_type\":\"LORA\",\"alpha_pattern\":{\"a\":null}}|alpha_pattern a: expected a number, found none",
                "{\"peft_type\":\"LORA\",\"layers_to_transform\":[0.5]}|layers_to_transform: expected an integer",
                "{\"peft_type\":\"LORA\",\"init_lora_weights\":3}|init_lora_weights: expected true, false or a name"
            })
    void aWrongValueIsNamedWithItsFile(String json, String message) {
        assertThatThrownBy(() -> read(json))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("c.json: ")
                .hasMessageContaining(message);
    }

    @Test
    void textsBeyondTheLimitsAreNotRead() {
        for (String json :
                new String[] {
                    "{\"peft_type\":\"LORA\",\"x\":" + "[".repeat(8) + "]".repeat(8) + "}",
                    "{\"peft_type\":\"LORA\",\"peft_type\":\"LORA\"}",
                    "{\"peft_type\":\"LORA\",\"r\":NaN}",
                    "{\"peft_type\":\"LORA\"" + " ".repeat(1_000_000) + "}",
                    "{\"peft_type\""
                }) {
            assertThatThrownBy(() -> read(json)).isInstanceOf(StrictJsonException.class);
        }
    }

    @Test
    void theScaleFollowsThePatternsAndRslora() {
        PeftConfig plain = PeftConfig.builder().optRank(4).optAlpha(8).build();
        PeftConfig rslora = PeftConfig.builder().optRank(4).optAlpha(8).optRslora(true).build();
        Selection.Target own = new Selection.Target("a", OptionalInt.of(16), OptionalDouble.of(4));
        Selection.Target standard =
                new Selection.Target("a", OptionalInt.empty(), OptionalDouble.empty());

        assertThat(plain.scale(standard)).isEqualTo(2);
        assertThat(plain.scale(own)).isEqualTo(0.25);
        assertThat(rslora.scale(standard)).isEqualTo(4);
        assertThat(rslora.scale(own)).isCloseTo(1, within(1e-15));
    }

    @Test
    void theRulesOfAFileSelectModules() throws IOException {
        PeftConfig config =
                read(
                        "{\"peft_type\":\"LORA\",\"target_modules\":[\"q\"],\"layers_to_transform\":1,\"layers_pattern\":\"\",\"exclude_modules\":[\"y.q\"],\"modules_to_save\":[\"head\"],\"alpha_pattern\":{\"q\":3}}");

        Selection selection =
                config.targets()
                        .build()
                        .select(
                                List.of("m.l.0.q", "m.l.1.q", "m.l.1.y.q", "head.l.1.q"),
                                Set.of(),
                                Set.of());

        assertThat(selection.paths()).containsExactly("m.l.1.q");
        assertThat(selection.excluded()).containsExactly("m.l.1.y.q", "head.l.1.q");
        assertThat(selection.targets().get(0).alpha()).hasValue(3);
        PeftConfig without = PeftConfig.builder().build();
        assertThatThrownBy(without::targets).hasMessage("expected target_modules, found none");
    }

    private PeftConfig read(String json) throws IOException {
        return PeftConfig.read(Files.writeString(folder.resolve("c.json"), json));
    }
}
