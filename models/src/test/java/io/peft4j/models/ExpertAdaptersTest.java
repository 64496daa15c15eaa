package io.peft4j.models;

import static io.peft4j.models.Golden.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.Adapters;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PEFT wrote one adapter in both layouts. */
class ExpertAdaptersTest {

    private static final Path SINGLE = TestData.path("golden/mixtral/lora");
    private static final Path FUSED = TestData.path("golden/mixtral/lora_fused_v5");

    @TempDir private Path directory;

    private static ModelConfig model() throws IOException {
        return ModelConfig.read(TestData.path("golden/mixtral/model/config.json"));
    }

    private static JsonObject config(Path directory) throws IOException {
        return JsonParser.parseString(Files.readString(directory.resolve("adapter_config.json")))
                .getAsJsonObject();
    }

    private void assertSameTensors(Path expected) throws IOException {
        try (SafetensorsFile written =
                        SafetensorsFile.open(directory.resolve("adapter_model.safetensors"));
                SafetensorsFile golden =
                        SafetensorsFile.open(expected.resolve("adapter_model.safetensors"))) {
            assertThat(written.names()).containsExactlyInAnyOrderElementsOf(golden.names());
            for (String name : golden.names()) {
                assertThat(written.tensor(name).shape()).isEqualTo(golden.tensor(name).shape());
                assertThat(written.toFloats(name)).as(name).containsExactly(golden.toFloats(name));
            }
        }
    }

    @Test
    void fusingWritesWhatPeftConverts() throws IOException {
        assertThat(ExpertAdapters.isFused(SINGLE)).isFalse();
        ExpertAdapters.fuse(SINGLE, directory, model());
        assertThat(ExpertAdapters.isFused(directory)).isTrue();
        assertSameTensors(FUSED);
        JsonObject written = config(directory);
        JsonObject golden = config(FUSED);
        for (String key : new String[] {"target_parameters", "rank_pattern", "alpha_pattern"}) {
            assertThat(written.get(key)).as(key).isEqualTo(golden.get(key));
        }
        assertThat(written.getAsJsonArray("target_modules"))
                .containsExactlyInAnyOrderElementsOf(golden.getAsJsonArray("target_modules"));
    }

    @Test
    void splittingGivesThePairsThatWereFused() throws IOException {
        ExpertAdapters.split(FUSED, directory, model());
        assertSameTensors(SINGLE);
        JsonObject written = config(directory);
        assertThat(written.get("target_parameters").isJsonNull()).isTrue();
        assertThat(written.getAsJsonObject("rank_pattern").size()).isZero();
        assertThat(written.getAsJsonObject("alpha_pattern").size()).isZero();
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.load(model.block(), directory);
                NDManager scope = NDManager.newBaseManager();
                Golden base = Golden.open("mixtral/golden.safetensors");
                Golden golden = Golden.open("mixtral/lora/golden.safetensors")) {
            assertThat(adapted.adapter().parameters()).hasSize(112);
            NDArray logits = model.logits(scope, base.array("input_ids"), null);
            assertClose("on", logits.toFloatArray(), golden.floats("logits"), Golden.LOGITS);
        }
    }

    /** A pair that was trained fused: its B has no zeros. */
    private Path dense() throws IOException {
        Path dense = directory.resolve("dense");
        Files.createDirectories(dense);
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file =
                SafetensorsFile.open(FUSED.resolve("adapter_model.safetensors"))) {
            for (String name : file.names()) {
                float[] values = file.toFloats(name);
                Random random = new Random(name.hashCode());
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) random.nextGaussian();
                }
                long[] shape =
                        file.tensor(name).shape().stream().mapToLong(Long::longValue).toArray();
                tensors.put(name, TensorSources.ofFloats(file.tensor(name).dtype(), values, shape));
            }
        }
        SafetensorsWriter.write(dense.resolve("adapter_model.safetensors"), tensors);
        Files.copy(FUSED.resolve("adapter_config.json"), dense.resolve("adapter_config.json"));
        return dense;
    }

    @Test
    void aPairTrainedFusedIsSharedByBothItsWeights() throws IOException {
        Path dense = dense();
        ExpertAdapters.split(dense, directory, model());
        JsonObject written = config(directory);
        assertThat(written.getAsJsonObject("rank_pattern").toString())
                .isEqualTo("{\"w1\":4,\"w3\":4}");
        assertThat(written.getAsJsonObject("alpha_pattern").toString())
                .isEqualTo("{\"w1\":8,\"w3\":8}");
        String fused = "base_model.model.model.layers.1.mlp.experts.base_layer.lora_";
        String single = "base_model.model.model.layers.1.block_sparse_moe.experts.5.";
        try (SafetensorsFile before =
                        SafetensorsFile.open(dense.resolve("adapter_model.safetensors"));
                SafetensorsFile after =
                        SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            float[] a = before.toFloats(fused + "A.weight"); // (8 experts, rank 4, 48)
            float[] b = before.toFloats(fused + "B.weight"); // (2 · 24, rank 4, 8 experts)
            for (String name : new String[] {"w1", "w3"}) {
                int half = name.equals("w1") ? 0 : 24;
                float[] ofExpert = after.toFloats(single + name + ".lora_A.weight");
                float[] rows = after.toFloats(single + name + ".lora_B.weight");
                for (int rank = 0; rank < 4; rank++) {
                    assertThat(ofExpert[rank * 48 + 7]).isEqualTo(a[(5 * 4 + rank) * 48 + 7]);
                    assertThat(rows[11 * 4 + rank]).isEqualTo(b[((half + 11) * 4 + rank) * 8 + 5]);
                }
            }
        }
        try (CausalLm model = Golden.load("mixtral/model");
                AdaptedModel adapted = Adapters.load(model.block(), directory)) {
            assertThat(adapted.adapter().parameters()).hasSize(112);
        }
    }

    @Test
    void aModelWithoutExpertsIsRefused() throws IOException {
        ModelConfig other = ModelConfig.read(TestData.path("golden/llama3/model/config.json"));
        assertThatThrownBy(() -> ExpertAdapters.split(FUSED, directory, other))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("expected a model of experts, found llama");
    }

    @Test
    void expertsOfOtherSizesAreRefusedWithBothSizes() throws IOException {
        JsonObject narrow =
                JsonParser.parseString(
                                Files.readString(TestData.path("golden/mixtral/model/config.json")))
                        .getAsJsonObject();
        narrow.addProperty("intermediate_size", 20);
        ModelConfig model = ModelConfig.of(narrow, "narrow");
        assertThatThrownBy(() -> ExpertAdapters.split(FUSED, directory, model))
                .isInstanceOf(AdapterMismatchException.class)
                .hasMessageContaining(
                        "layers.0.mlp.experts.base_layer.lora_A.weight and lora_B.weight: expected"
                                + " (32, 48) and (40, 32), found (32, 48) and (48, 32)");
        assertThat(directory).isEmptyDirectory();
    }
}
