package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.TrainedInFull;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoraSettingsTest {

    private static LoraConfig.Builder builder() {
        return LoraConfig.builder().setRank(2).setTargetModules("fc");
    }

    @Test
    void whatIsTrainedBesideTheSitesComesBackFromThePeftConfig() {
        LoraConfig config =
                builder()
                        .optBias(TrainedInFull.Bias.ADAPTED)
                        .optModulesToSave("classifier", "norm")
                        .optTrainableTokens(Map.of("embed", List.of(7, 0, 3)))
                        .optEnsureWeightTying(true)
                        .optFanInFanOut(true)
                        .optTaskType("SEQ_CLS")
                        .build();
        PeftConfig peft = config.toPeft();
        assertThat(peft.json().toString())
                .contains("\"bias\":\"lora_only\"", "\"fan_in_fan_out\":true")
                .contains("\"modules_to_save\":[\"classifier\",\"norm\"]")
                .contains("\"trainable_token_indices\":{\"embed\":[7,0,3]}")
                .contains("\"ensure_weight_tying\":true", "\"task_type\":\"SEQ_CLS\"");

        AdapterConfig read = new LoraMethod().read(peft);
        assertThat(read.trainedInFull()).isEqualTo(config.trainedInFull());
        assertThat(read.trainedInFull().modulesToSave()).containsExactly("classifier", "norm");
        assertThat(read.ensureWeightTying()).isTrue();
        assertThat(read.fanInFanOut()).isTrue();
        assertThat(read.toPeft().json()).isEqualTo(peft.json());
    }

    @Test
    void tokensOfTheInputEmbeddingAreABareList() {
        PeftConfig peft = builder().optTrainableTokens(List.of(1, 4)).build().toPeft();
        assertThat(peft.json().get("trainable_token_indices").toString()).isEqualTo("[1,4]");
        assertThat(new LoraMethod().read(peft).trainedInFull().tokens())
                .isEqualTo(Map.of("", List.of(1, 4)));
    }

    @Test
    void youngerKeysAreWrittenOnlyWhereTheyDifferFromTheirDefault() {
        assertThat(builder().build().toPeft().json().keySet())
                .hasSize(19)
                .doesNotContain("trainable_token_indices", "ensure_weight_tying", "lora_bias");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bias_all_lora",
                "save_classifier_norm_lora",
                "tokens_list_lora",
                "tokens_two_embeddings_lora",
                "fan_in_fan_out_lora",
                "tied_embed_lora_ensured"
            })
    void whatPeftWroteIsWrittenAgainWithTheSameValues(String golden) throws IOException {
        var directory = TestData.path("golden/blocks/" + golden + "/adapter");
        String text = Files.readString(directory.resolve("adapter_config.json"));
        JsonObject before = JsonParser.parseString(text).getAsJsonObject();
        JsonObject after = Adapters.readConfig(directory).toPeft().json();
        for (Map.Entry<String, JsonElement> entry : after.entrySet()) {
            assertThat(entry.getValue()).as(entry.getKey()).isEqualTo(before.get(entry.getKey()));
        }
    }

    @ParameterizedTest
    @CsvSource({"-1, 2", "3, 3"})
    void tokensMustBeDifferentRows(int first, int second) {
        assertThatThrownBy(() -> builder().optTrainableTokens(List.of(first, second)).build())
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("[" + first + ", " + second + "]");
    }
}
