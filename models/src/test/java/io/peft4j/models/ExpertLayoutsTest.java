package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that PEFT made on fused and on single experts, against PEFT's logits. */
class ExpertLayoutsTest {

    private static final String CONFIG = "adapter_config.json";
    private static final String TENSORS = "adapter_model.safetensors";

    @TempDir private Path directory;

    private static Path golden(String name) {
        return TestData.path("golden/experts/" + name);
    }

    private static ModelConfig model() throws IOException {
        return ModelConfig.read(golden("model/config.json"));
    }

    private static JsonObject config(Path adapter) throws IOException {
        return JsonParser.parseString(Files.readString(adapter.resolve(CONFIG))).getAsJsonObject();
    }

    private static float[] logits(Path adapter) throws IOException {
        try (CausalLm model = Golden.load("experts/model");
                AdaptedModel adapted = Adapters.load(model.block(), adapter);
                Golden base = Golden.open("experts/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            assertThat(adapted.active()).containsExactly("default");
            return model.logits(scope, base.array("input_ids"), null).toFloatArray();
        }
    }

    private static void assertGivesPeftsLogits(String name, Path adapter) throws IOException {
        try (Golden golden = Golden.open("experts/" + name + "/golden.safetensors")) {
            assertClose(name, logits(adapter), golden.floats("logits"), Golden.LOGITS);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fused_all",
                "fused_all_linear",
                "fused_patterns",
                "fused_layers",
                "fused_down",
                "single_plain",
                "single_patterns",
                "single_layer"
            })
    void bothLayoutsLoadAsTheyAre(String name) throws IOException {
        assertGivesPeftsLogits(name, golden(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fused_all",
                "fused_all_linear",
                "fused_patterns",
                "fused_layers",
                "fused_down"
            })
    void aFusedAdapterIsSavedOnePerExpertAndFusedAgain(String name) throws IOException {
        Path saved = directory.resolve("saved");
        Path again = directory.resolve("again");
        try (CausalLm model = Golden.load("experts/model");
                AdaptedModel adapted = Adapters.load(model.block(), golden(name))) {
            adapted.save(saved);
        }
        assertThat(ExpertAdapters.isFused(saved)).isFalse();
        assertGivesPeftsLogits(name, saved);
        ExpertAdapters.fuse(saved, again, model());
        assertThat(ExpertAdapters.isFused(again)).isTrue();
        assertGivesPeftsLogits(name, again);
    }

    @ParameterizedTest
    @ValueSource(strings = {"single_plain", "single_patterns", "single_layer"})
    void fusingAndSplittingGivesEveryBitBack(String name) throws IOException {
        Path fused = directory.resolve("fused");
        Path split = directory.resolve("split");
        ExpertAdapters.fuse(golden(name), fused, model());
        assertThat(ExpertAdapters.isFused(fused)).isTrue();
        assertGivesPeftsLogits(name, fused);
        ExpertAdapters.split(fused, split, model());
        assertGivesPeftsLogits(name, split);
        try (SafetensorsFile before = SafetensorsFile.open(golden(name).resolve(TENSORS));
                SafetensorsFile after = SafetensorsFile.open(split.resolve(TENSORS))) {
            assertThat(after.names()).containsExactlyInAnyOrderElementsOf(before.names());
            for (String tensor : before.names()) {
                assertThat(after.toFloats(tensor)).containsExactly(before.toFloats(tensor));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"fused_down", "fused_layers"})
    void splittingAndFusingGivesEveryBitBack(String name) throws IOException {
        Path split = directory.resolve("split");
        Path fused = directory.resolve("fused");
        ExpertAdapters.split(golden(name), split, model());
        ExpertAdapters.fuse(split, fused, model());
        try (SafetensorsFile before = SafetensorsFile.open(golden(name).resolve(TENSORS));
                SafetensorsFile after = SafetensorsFile.open(fused.resolve(TENSORS))) {
            assertThat(after.names()).containsExactlyInAnyOrderElementsOf(before.names());
            for (String tensor : before.names()) {
                assertThat(after.toFloats(tensor)).containsExactly(before.toFloats(tensor));
            }
        }
        assertThat(config(fused).get("target_parameters"))
                .isEqualTo(config(golden(name)).get("target_parameters"));
    }

    @Test
    void eachLayersRankAndAlphaGoToItsExperts() throws IOException {
        try (CausalLm model = Golden.load("experts/model")) {
            LowRankConfig read =
                    (LowRankConfig) Adapters.readConfig(model.block(), golden("fused_patterns"));
            String experts = ".block_sparse_moe.experts.3.";
            assertThat(read.rank("model.layers.0" + experts + "w2")).isEqualTo(4);
            assertThat(read.scaling("model.layers.0" + experts + "w2")).isEqualTo(16 / 2.0);
            assertThat(read.rank("model.layers.2" + experts + "w2")).isEqualTo(2);
            assertThat(read.rank("model.layers.1" + experts + "w1")).isEqualTo(5);
            assertThat(read.rank("model.layers.1.self_attn.q_proj")).isEqualTo(4);
            assertThat(read.rank("model.layers.2.self_attn.q_proj")).isEqualTo(2);
        }
    }

    @Test
    void fusedPatternsAreThoseThatPeftLooksUp() throws IOException {
        ExpertAdapters.fuse(golden("single_patterns"), directory, model());
        JsonObject fused = config(directory);
        assertThat(fused.get("rank_pattern").toString())
                .isEqualTo(
                        "{\"model\\\\.layers\\\\.0\\\\.mlp\\\\.experts\\\\.gate_up_proj\":6,"
                                + "\"model\\\\.layers\\\\.1\\\\.mlp\\\\.experts\\\\.gate_up_proj\":6,"
                                + "\"model\\\\.layers\\\\.2\\\\.mlp\\\\.experts\\\\.gate_up_proj\":4,"
                                + "\"model\\\\.layers\\\\.1\\\\.mlp\\\\.experts\\\\.down_proj\":3,"
                                + "\"v_proj\":5}");
        assertThat(fused.get("target_modules").toString()).isEqualTo("[\"v_proj\"]");
        assertThat(fused.get("target_parameters").toString())
                .isEqualTo("[\"gate_up_proj\",\"down_proj\"]");
    }

    private Path changed(String name, Consumer<JsonObject> change) throws IOException {
        Path copy = directory.resolve("changed");
        Files.createDirectories(copy);
        Files.copy(golden(name).resolve(TENSORS), copy.resolve(TENSORS));
        JsonObject json = config(golden(name));
        change.accept(json);
        Files.writeString(copy.resolve(CONFIG), json.toString());
        return copy;
    }

    private static JsonElement json(String text) {
        return JsonParser.parseString(text);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "use_dora|true|PEFT has only plain LoRA on parameters",
                "lora_bias|true|PEFT has only plain LoRA on parameters",
                "target_parameters|['up_proj']|expected gate_up_proj, down_proj or gate.weight",
                "r|0|rank",
            })
    void settingsThatPeftDoesNotHaveOnParametersAreRefused(String key, String value, String why)
            throws IOException {
        Path adapter = changed("fused_down", json -> json.add(key, json(value.replace('\'', '"'))));
        assertThatThrownBy(() -> logits(adapter))
                .isInstanceOfAny(AdapterConfigException.class, AdapterMismatchException.class)
                .hasMessageContaining(key.equals("r") ? "expected" : why);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "use_dora|true|expected LoRA, as PEFT has no DoRA on parameters, found DoRA",
                "lora_bias|true|as PEFT has none on parameters",
                "init_lora_weights|'pissa'|LoraConversion.toPlain",
                "alpha_pattern|{'w1': 8}|expected one scaling for w1 and w3",
                "alpha_pattern|{'experts.2.w2': 8}|expected one rank and alpha for the w2 of all experts",
                "rank_pattern|{'w2': 3}|expected (3, 12) and (16, 3), found (2, 12) and (16, 2)",
            })
    void whatFusedExpertsCannotHaveIsRefused(String key, String value, String why)
            throws IOException {
        Path adapter =
                changed("single_plain", json -> json.add(key, json(value.replace('\'', '"'))));
        Path target = directory.resolve("target");
        assertThatThrownBy(() -> ExpertAdapters.fuse(adapter, target, model()))
                .isInstanceOfAny(AdapterConfigException.class, AdapterMismatchException.class)
                .hasMessageContaining(why);
        assertThat(target).doesNotExist();
    }

    private Path without(String name, String part) throws IOException {
        Path copy = directory.resolve("less");
        Files.createDirectories(copy);
        Map<String, TensorSource> left = new TreeMap<>();
        try (SafetensorsFile file = SafetensorsFile.open(golden(name).resolve(TENSORS))) {
            for (String tensor : file.names()) {
                if (!tensor.contains(part)) {
                    left.put(tensor, TensorSources.copyOf(file, file.tensor(tensor)));
                }
            }
            SafetensorsWriter.write(copy.resolve(TENSORS), left);
        }
        Files.copy(golden(name).resolve(CONFIG), copy.resolve(CONFIG));
        return copy;
    }

    @Test
    void missingTensorsAreNamedAsTheyAreInTheFile() throws IOException {
        Path half = without("fused_all", "layers.1.mlp.experts.base_layer.lora_B");
        assertThatThrownBy(() -> logits(half))
                .isInstanceOf(AdapterMismatchException.class)
                .hasMessageContaining(
                        "1 missing: base_model.model.model.layers.1.mlp.experts.base_layer.lora_B");
    }

    @Test
    void tensorsThatNoTargetParameterNamesAreUnexpected() throws IOException {
        Path adapter =
                changed(
                        "fused_all",
                        json -> json.add("target_parameters", json("[\"gate.weight\"]")));
        assertThatThrownBy(() -> logits(adapter))
                .isInstanceOf(AdapterMismatchException.class)
                .hasMessageContaining("12 unexpected: ");
    }

    @Test
    void someExpertsOfALayerAloneCannotBeFused() throws IOException {
        Path some = without("single_plain", "layers.2.block_sparse_moe.experts.1.w2");
        assertThatThrownBy(() -> ExpertAdapters.fuse(some, directory.resolve("x"), model()))
                .isInstanceOf(AdapterMismatchException.class)
                .hasMessageContaining("layers.2.block_sparse_moe.experts.1.w2.lora_A.weight");
        Path gates = directory.resolve("gates");
        Files.move(directory.resolve("less"), directory.resolve("before"));
        Files.move(without("single_plain", ".w3."), gates);
        assertThatThrownBy(() -> ExpertAdapters.fuse(gates, directory.resolve("x"), model()))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("layer 0")
                .hasMessageContaining("adapters of w1 and of w3");
    }

    @Test
    void dropoutGoesSincePeftHasNoneOnParameters() throws IOException {
        Path adapter = changed("single_plain", json -> json.addProperty("lora_dropout", 0.1));
        Path target = directory.resolve("target");
        ExpertAdapters.fuse(adapter, target, model());
        assertThat(config(target).get("lora_dropout").getAsDouble()).isZero();
    }

    @Test
    void anExpressionForTheOtherTargetsStays() throws IOException {
        Path adapter =
                changed(
                        "fused_layers",
                        json -> {
                            json.add("target_modules", json("\".*\\\\.1\\\\..*\\\\.[qv]_proj\""));
                            json.add("layers_to_transform", json("null"));
                        });
        assertGivesPeftsLogits("fused_layers", adapter);
    }

    @Test
    void aSecondAdapterMayHaveTheOtherLayout() throws IOException {
        try (CausalLm model = Golden.load("experts/model");
                AdaptedModel adapted = Adapters.load(model.block(), golden("single_plain"));
                Golden base = Golden.open("experts/golden.safetensors");
                Golden fused = Golden.open("experts/fused_all/golden.safetensors");
                NDManager scope = NDManager.newBaseManager()) {
            adapted.load("fused", golden("fused_all"));
            adapted.activate("fused");
            assertClose(
                    "fused",
                    model.logits(scope, base.array("input_ids"), null).toFloatArray(),
                    fused.floats("logits"),
                    1e-5);
            assertThat(List.copyOf(adapted.names())).containsExactly("default", "fused");
        }
    }
}
