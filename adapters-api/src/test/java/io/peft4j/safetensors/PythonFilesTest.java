package io.peft4j.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that Python's safetensors wrote. */
class PythonFilesTest {

    @TempDir Path folder;

    @Test
    void everyDtypeDecodesToTorchsValues() throws IOException {
        JsonObject expected =
                StrictJson.read(TestData.path("golden/manifest.json"), 10_000_000, 32)
                        .getAsJsonObject()
                        .getAsJsonObject("dtypes");
        try (SafetensorsFile file =
                SafetensorsFile.open(TestData.path("golden/dtypes.safetensors"))) {
            assertThat(file.names()).containsExactlyInAnyOrderElementsOf(expected.keySet());
            assertThat(file.metadata()).containsExactly(Map.entry("format", "pt"));
            for (String name : file.names()) {
                JsonObject golden = expected.getAsJsonObject(name);
                TensorInfo info = file.tensor(name);
                List<JsonElement> values = golden.getAsJsonArray("values").asList();
                assertThat("torch." + info.dtype().torchName())
                        .isEqualTo(golden.get("dtype").getAsString());
                assertThat(info.shape())
                        .isEqualTo(
                                golden.getAsJsonArray("shape").asList().stream()
                                        .map(JsonElement::getAsLong)
                                        .toList());
                assertThat(info.elementCount()).isEqualTo(values.size());
                for (int i = 0; i < values.size(); i++) {
                    double found =
                            info.dtype().isFloat() ? file.toFloats(name)[i] : file.toLongs(name)[i];
                    assertThat(found).as(name).isEqualTo(values.get(i).getAsDouble());
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "golden/dtypes.safetensors",
                "golden/openelm/model/model.safetensors",
                "golden/openelm/golden.safetensors",
                "golden/openelm/lora/adapter_model.safetensors",
                "golden/openelm/dora/adapter_model.safetensors",
                "golden/openelm/lora_embed/adapter_model.safetensors",
                "peft/lora/adapter_model.safetensors",
                "peft/dora/adapter_model.safetensors",
                "peft/dora_bf16/adapter_model.safetensors",
                "peft/dora_emb/adapter_model.safetensors",
                "peft/conv/adapter_model.safetensors",
                "peft/bias_all/adapter_model.safetensors",
                "peft/mts/adapter_model.safetensors",
                "peft/tok/adapter_model.safetensors"
            })
    void aCopyHasTheSameBytesAsPythonsFile(String name) throws IOException {
        Path original = TestData.path(name);
        Path copy = folder.resolve("copy.safetensors");

        try (SafetensorsFile file = SafetensorsFile.open(original)) {
            Map<String, TensorSource> tensors = new LinkedHashMap<>();
            for (String tensor : file.names()) {
                tensors.put(tensor, TensorSources.copyOf(file, file.tensor(tensor)));
            }
            SafetensorsWriter.write(copy, tensors, file.metadata());
        }

        assertThat(copy).hasSameBinaryContentAs(original);
    }

    @Test
    void theShardedModelHoldsTheSameTensorsAsTheSingleFile() throws IOException {
        try (ShardedSafetensors single =
                        ShardedSafetensors.open(TestData.path("golden/openelm/model"));
                ShardedSafetensors sharded =
                        ShardedSafetensors.open(TestData.path("golden/openelm/model-sharded"))) {
            assertThat(sharded.files()).hasSize(2);
            assertThat(sharded.names()).containsExactlyInAnyOrderElementsOf(single.names());
            for (String name : single.names()) {
                assertThat(sharded.toFloats(name)).as(name).isEqualTo(single.toFloats(name));
            }
        }
    }
}
