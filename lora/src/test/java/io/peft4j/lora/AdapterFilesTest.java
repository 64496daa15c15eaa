package io.peft4j.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.LoadReport;
import io.peft4j.adapters.TinyModel;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterFilesTest {

    private static final String TENSORS = "adapter_model.safetensors";
    private static final String UP_A = "base_model.model.body.up.lora_A.weight";

    @TempDir Path directory;

    private static LoraConfig config() {
        return LoraConfig.builder()
                .setRank(2)
                .optAlpha(3)
                .optRsLora(true)
                .optDropout(0.25)
                .optInit(LoraInit.GAUSSIAN)
                .optRankPattern(Map.of("down", 3))
                .optAlphaPattern(Map.of("body.up", 7.5))
                .optBaseModel("some/base")
                .optTaskType("CAUSAL_LM")
                .setTargetModules("up", "down")
                .build();
    }

    @Test
    void savedAdapterLoadsWithEverySettingAndEveryBit() throws IOException {
        Map<String, float[]> saved = new LinkedHashMap<>();
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(), 3)) {
            adapted.save(directory);
            adapted.adapter()
                    .parameters()
                    .forEach((key, p) -> saved.put(key, p.getArray().toFloatArray()));
        }
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            LoraConfig loaded = (LoraConfig) adapted.adapter().config();
            assertThat(loaded.toPeft().json()).isEqualTo(config().toPeft().json());
            assertThat(loaded.rank("body.down")).isEqualTo(3);
            assertThat(loaded.scaling("body.up")).isEqualTo(7.5 / Math.sqrt(2));
            assertThat(loaded.scaling("body.down")).isEqualTo(3 / Math.sqrt(3));
            assertThat(adapted.adapter().parameters()).hasSameSizeAs(saved);
            adapted.adapter()
                    .parameters()
                    .forEach(
                            (key, p) ->
                                    assertThat(p.getArray().toFloatArray())
                                            .as(key)
                                            .isEqualTo(saved.get(key)));
        }
    }

    @Test
    void configIsWrittenWithTheClassicKeysSorted() throws IOException {
        save();
        String json = Files.readString(directory.resolve("adapter_config.json"));
        assertThat(json)
                .contains("\"peft_type\": \"LORA\"", "\"lora_alpha\": 3,", "\"r\": 2,")
                .contains("\"use_dora\": false", "\"init_lora_weights\": \"gaussian\"")
                .contains("\"lora_dropout\": 0.25", "\"task_type\": \"CAUSAL_LM\"");
        assertThat(json.lines().filter(l -> l.startsWith("  \"")).toList()).isSorted();
    }

    @ParameterizedTest
    @ValueSource(strings = {"golden/openelm/lora", "golden/openelm/lora_embed", "peft/lora"})
    void whatPeftWroteIsWrittenAgainWithTheSameValues(String adapter) throws IOException {
        JsonObject before = json(TestData.path(adapter));
        JsonObject after = Adapters.readConfig(TestData.path(adapter)).toPeft().json();

        assertThat(after.keySet()).hasSize(19).isSubsetOf(before.keySet());
        after.asMap().forEach((key, value) -> assertThat(value).as(key).isEqualTo(before.get(key)));
    }

    @Test
    void aPatternThatMatchesNoModuleIsRefusedBeforeTheModelChanges() {
        LoraConfig config =
                LoraConfig.builder()
                        .setRank(2)
                        .setTargetModules("up")
                        .optRankPattern(Map.of("up", 1))
                        .optAlphaPattern(Map.of("down", 3.0))
                        .build();
        try (TinyModel model = new TinyModel(false)) {
            assertThatThrownBy(() -> Adapters.dryRun(model, config))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("alpha_pattern: down");
            assertThatThrownBy(() -> Adapters.attach(model, config))
                    .isInstanceOf(AdapterConfigException.class);
            assertThat(model.getParameters().keys()).noneMatch(k -> k.contains("lora"));
        }
    }

    @Test
    void savedSettingsMayNameModulesThatTheModelLacks() throws IOException {
        save();
        JsonObject config = json(directory);
        config.getAsJsonArray("target_modules").add("elsewhere");
        config.getAsJsonObject("rank_pattern").addProperty("elsewhere", 4);
        Files.writeString(directory.resolve("adapter_config.json"), config.toString());
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            assertThat(adapted.adapter().parameters()).hasSize(4);
            assertThat(adapted.adapter().config().toPeft().json()).isEqualTo(config);
        }
    }

    @Test
    void everyMissingUnexpectedAndMisshapedTensorIsListedAndNothingChanges() throws IOException {
        save();
        Map<String, TensorSource> tensors = tensors();
        tensors.remove(UP_A);
        tensors.put(UP_A.replace("lora_A", "lora_a"), floats(2, 6));
        tensors.put("base_model.model.body.down.lora_B.weight", floats(7, 2));
        SafetensorsWriter.write(directory.resolve(TENSORS), tensors);
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(), 4)) {
            float[] before = values(adapted, "base_model.model.body.up.lora_B.weight");
            assertThatThrownBy(() -> adapted.adapter().load(directory))
                    .isInstanceOf(AdapterMismatchException.class)
                    .hasMessageContaining("1 missing: " + UP_A)
                    .hasMessageContaining("1 unexpected: " + UP_A.replace("lora_A", "lora_a"))
                    .hasMessageContaining("expected (7, 3) but was (7, 2)");
            assertThat(values(adapted, "base_model.model.body.up.lora_B.weight")).isEqualTo(before);
            assertThat(adapted.block().getParameters().keys()).anyMatch(k -> k.contains("lora"));
            assertThatThrownBy(() -> adapted.adapter().loadLeniently(directory))
                    .isInstanceOf(AdapterMismatchException.class);
        }
        try (TinyModel model = new TinyModel(false)) {
            assertThatThrownBy(() -> Adapters.load(model, directory))
                    .isInstanceOf(AdapterMismatchException.class);
            assertThat(model.getParameters().keys()).noneMatch(k -> k.contains("lora"));
        }
    }

    @Test
    void lenientLoadingTakesWhatFitsAndReportsTheRest() throws IOException {
        save();
        Map<String, TensorSource> tensors = tensors();
        tensors.remove(UP_A);
        tensors.put("stranger", floats(1));
        SafetensorsWriter.write(directory.resolve(TENSORS), tensors);
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(), 4)) {
            LoadReport report = adapted.adapter().loadLeniently(directory);
            assertThat(report.missing()).containsExactly(UP_A);
            assertThat(report.unexpected()).containsExactly("stranger");
        }
    }

    @Test
    void halfPrecisionTensorsAreWidenedExactly() throws IOException {
        save();
        Map<String, TensorSource> tensors = tensors();
        tensors.put(
                UP_A,
                TensorSources.ofFloats(
                        Dtype.BF16,
                        new float[] {1.5f, -2, 0.5f, 0, 3, 4, 5, 6, 7, 8, 9, 10},
                        2,
                        6));
        SafetensorsWriter.write(directory.resolve(TENSORS), tensors);
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.load(model, directory)) {
            assertThat(values(adapted, UP_A))
                    .containsExactly(1.5f, -2, 0.5f, 0, 3, 4, 5, 6, 7, 8, 9, 10);
        }
    }

    @Test
    void directoryWithoutAnAdapterIsNamed() {
        try (TinyModel model = new TinyModel(false)) {
            assertThatThrownBy(() -> Adapters.load(model, directory))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageContaining("adapter_config.json");
        }
    }

    @Test
    void pickleIsRefusedWithAHintHowToConvertIt() throws IOException {
        save();
        Files.delete(directory.resolve(TENSORS));
        Files.write(directory.resolve("adapter_model.bin"), new byte[] {(byte) 0x80, 2});
        try (TinyModel model = new TinyModel(false)) {
            assertThatThrownBy(() -> Adapters.load(model, directory))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("safetensors.torch");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"peft_type\": \"IA3\"}|IA3 is not supported",
                "{\"peft_type\": \"LORA\", \"r\": 2}|\"target_modules\" is missing",
                "{\"peft_type\": \"LORA\", \"r\": \"2\", \"target_modules\": [\"up\"]}|\"r\" must be",
                "{\"peft_type\": \"LORA\", \"r\": 0, \"target_modules\": [\"up\"]}|rank must be",
                "{\"peft_type\": \"LORA\", \"r\": 2.5, \"target_modules\": [\"up\"]}|whole number",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"bias\": \"some\"}|lora_only",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"use_dora\": 1}|true or false",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"(\"], \"rank_pattern\": {\"(\": 2}}|regular",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"rank_pattern\": {\"up\": 0}}|must be from 1",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"lora_bias\": true, \"bias\": \"all\"}|bias is all",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"trainable_token_indices\": {\"e\": 3}}|trainable_token_indices.e",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"trainable_token_indices\": [3, 3]}|different rows",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"target_parameters\": [\"p\"]}|not supported",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"init_lora_weights\": \"corda\"}|corda",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"init_lora_weights\": \"pissa_niter_4\"}|path_initial_model",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"r\": 3, \"init_lora_weights\": \"orthogonal\"}|even",
                "{\"peft_type\": \"LORA\", \"target_modules\": [\"up\"], \"rank_pattern\": {\"up\": 2.5}}|rank_pattern.up",
                "[1]|expected a JSON object",
                "{\"r\": 1, \"r\": 2}|each key once",
                "{\"r\": |ends too early",
            })
    void malformedConfigIsRefusedWithItsPlace(String json, String message) throws IOException {
        save();
        Files.writeString(directory.resolve("adapter_config.json"), json);
        try (TinyModel model = new TinyModel(false)) {
            assertThatThrownBy(() -> Adapters.load(model, directory))
                    .isInstanceOfAny(AdapterConfigException.class, IOException.class)
                    .hasMessageContaining(message)
                    .hasMessageContaining("adapter_config.json");
        }
    }

    private static JsonObject json(Path adapter) throws IOException {
        String text = Files.readString(adapter.resolve("adapter_config.json"));
        return JsonParser.parseString(text).getAsJsonObject();
    }

    private void save() throws IOException {
        try (TinyModel model = new TinyModel(false);
                AdaptedModel adapted = Adapters.attach(model, config(), 3)) {
            adapted.save(directory);
        }
    }

    private Map<String, TensorSource> tensors() throws IOException {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file = SafetensorsFile.open(directory.resolve(TENSORS))) {
            for (String name : file.names()) {
                long[] shape =
                        file.tensor(name).shape().stream().mapToLong(Long::longValue).toArray();
                tensors.put(name, TensorSources.ofFloats(Dtype.F32, file.toFloats(name), shape));
            }
        }
        return tensors;
    }

    private static TensorSource floats(long... shape) {
        int size = 1;
        for (long dimension : shape) {
            size *= (int) dimension;
        }
        return TensorSources.ofFloats(Dtype.F32, new float[size], shape);
    }

    private static float[] values(AdaptedModel adapted, String key) {
        Parameter parameter = adapted.adapter().parameters().get(key);
        return parameter.getArray().toFloatArray();
    }
}
