package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsException;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ModelDirectoryTest {

    @TempDir private Path directory;

    private static Map<String, float[]> weights(CausalLm model) {
        Map<String, float[]> weights = new TreeMap<>();
        model.parameters().forEach((name, p) -> weights.put(name, p.getArray().toFloatArray()));
        return weights;
    }

    private static void assertSameWeights(CausalLm actual, CausalLm expected) {
        Map<String, float[]> wanted = weights(expected);
        assertThat(weights(actual)).hasSameSizeAs(wanted);
        weights(actual).forEach((n, values) -> assertThat(values).as(n).isEqualTo(wanted.get(n)));
    }

    // the golden weights are exact in all three types
    @ParameterizedTest
    @EnumSource(
            value = Dtype.class,
            names = {"F32", "F16", "BF16"})
    void aSavedModelIsLoadedWithTheSameWeights(Dtype dtype) throws IOException {
        try (CausalLm model = Golden.load()) {
            model.save(directory, dtype);
            try (CausalLm loaded = CausalLm.load(directory, Device.cpu())) {
                assertThat(loaded.dtype()).isEqualTo(dtype);
                assertSameWeights(loaded, model);
            }
        }
        JsonObject before = parse(Golden.model().resolve("config.json"));
        JsonObject after = parse(directory.resolve("config.json"));
        assertThat(after.get("torch_dtype").getAsString()).isEqualTo(dtype.torchName());
        after.add("torch_dtype", before.get("torch_dtype"));
        assertThat(after).isEqualTo(before);
        try (SafetensorsFile file = SafetensorsFile.open(directory.resolve("model.safetensors"))) {
            assertThat(file.metadata()).containsEntry("format", "pt");
        }
    }

    private static JsonObject parse(Path file) throws IOException {
        return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    }

    @Test
    void theTokenizerOfTheSourceComesAlongAndStrangersDoNot() throws IOException {
        Path source = copyOfModel("source");
        Path tokenizer = TestData.path("golden/tokenizer/tokenizer.json");
        Files.copy(tokenizer, source.resolve("tokenizer.json"));
        Files.writeString(source.resolve("generation_config.json"), "{}");
        Files.writeString(source.resolve("optimizer.pt"), "not ours");
        Path saved = directory.resolve("deep/saved");
        try (CausalLm model = CausalLm.load(source, Device.cpu())) {
            model.save(saved, Dtype.F32);
            model.save(source, Dtype.BF16); // over itself
        }
        try (var files = Files.list(saved)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder(
                            "config.json",
                            "model.safetensors",
                            "tokenizer.json",
                            "generation_config.json");
        }
        assertThat(saved.resolve("tokenizer.json")).hasSameBinaryContentAs(tokenizer);
        try (CausalLm again = CausalLm.load(source, Device.cpu())) {
            assertThat(again.dtype()).isEqualTo(Dtype.BF16);
        }
    }

    private Path copyOfModel(String name) throws IOException {
        Path copy = Files.createDirectory(directory.resolve(name));
        for (String file : new String[] {"config.json", "model.safetensors"}) {
            Files.copy(Golden.model().resolve(file), copy.resolve(file));
        }
        return copy;
    }

    @Test
    void everyMissingUnexpectedAndMisshapedTensorIsListedAtOnce() throws IOException {
        Path broken = copyOfModel("broken");
        Map<String, TensorSource> tensors = new TreeMap<>();
        try (SafetensorsFile file =
                SafetensorsFile.open(Golden.model().resolve("model.safetensors"))) {
            for (String name : file.names()) {
                tensors.put(name, TensorSources.copyOf(file, file.tensor(name)));
            }
            tensors.remove("transformer.norm.weight");
            tensors.remove("transformer.layers.1.ffn_norm.weight");
            tensors.put("lm_head.weight", TensorSources.ofFloats(Dtype.F32, new float[2], 2));
            tensors.put(
                    "transformer.layers.0.attn.q_norm.weight",
                    TensorSources.ofFloats(Dtype.F32, new float[9], 9));
            tensors.put(
                    "transformer.layers.0.attn.k_norm.weight",
                    TensorSources.ofLongs(Dtype.I64, new long[8], 8));
            SafetensorsWriter.write(broken.resolve("model.safetensors"), tensors);
        }
        assertThatThrownBy(() -> CausalLm.load(broken, Device.cpu()))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(broken.toString())
                .hasMessageContaining(
                        "missing: transformer.layers.1.ffn_norm.weight, transformer.norm.weight")
                .hasMessageContaining("unexpected: lm_head.weight")
                .hasMessageContaining(
                        "transformer.layers.0.attn.q_norm.weight: expected floats [8], found F32"
                                + " [9]")
                .hasMessageContaining(
                        "transformer.layers.0.attn.k_norm.weight: expected floats [8], found I64"
                                + " [8]");
    }

    @Test
    void aPickleIsRefusedWithAWayOut() throws IOException {
        Files.copy(Golden.model().resolve("config.json"), directory.resolve("config.json"));
        Files.writeString(directory.resolve("pytorch_model.bin"), "PK");
        assertThatThrownBy(() -> CausalLm.load(directory, Device.cpu()))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageContaining("pytorch_model.bin")
                .hasMessageContaining("safetensors.torch.save_file");
    }

    @Test
    void aDirectoryWithoutConfigIsNamed() {
        assertThatThrownBy(() -> CausalLm.load(directory, Device.cpu()))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(directory.resolve("config.json").toString());
    }

    @Test
    void weightsAreNotSavedAsIntegers() {
        try (CausalLm model = Golden.load()) {
            assertThatThrownBy(() -> model.save(directory, Dtype.I8))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("found I8");
        }
    }

    @Test
    void newWeightsDependOnTheSeedAlone() throws IOException {
        ModelConfig config = ModelConfig.read(Golden.model().resolve("config.json"));
        try (CausalLm one = CausalLm.create(config, Device.cpu(), 1);
                CausalLm same = CausalLm.create(config, Device.cpu(), 1);
                CausalLm other = CausalLm.create(config, Device.cpu(), 2)) {
            assertSameWeights(same, one);
            String name = "transformer.layers.0.ffn.proj_1.weight";
            float[] values = weights(one).get(name);
            assertThat(values).isNotEqualTo(weights(other).get(name));
            double square = 0;
            for (float value : values) {
                square += value * value;
            }
            assertThat(Math.sqrt(square / values.length)).isBetween(0.019, 0.021);
            assertThat(weights(one).get("transformer.norm.weight")).containsOnly(1);
        }
    }

    @Test
    void aTensorLongerThanAChunkIsCopiedWhole() {
        try (NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
                RowWriter writer = new RowWriter(manager)) {
            var shape = new ai.djl.ndarray.types.Shape(1001, 3000); // about three chunks
            var array = manager.zeros(shape);
            int chunk = RowWriter.chunkElements(shape);
            assertThat(chunk).isLessThan((int) shape.size()).isEqualTo(chunk / 3000 * 3000);
            for (int first = 0; first < shape.size(); first += chunk) {
                float[] values = new float[(int) Math.min(chunk, shape.size() - first)];
                for (int i = 0; i < values.length; i++) {
                    values[i] = first + i;
                }
                writer.put(array, first, java.nio.FloatBuffer.wrap(values));
            }
            float[] all = array.toFloatArray();
            for (int i = 0; i < all.length; i++) {
                assertThat(all[i]).isEqualTo((float) i);
            }
        }
    }
}
