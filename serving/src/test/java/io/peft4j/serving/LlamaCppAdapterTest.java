package io.peft4j.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.gguf.GgufReader;
import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is written for llama.cpp, against what its own converter wrote. */
class LlamaCppAdapterTest {

    @TempDir private Path directory;

    private GgufReader export(String family, String adapter, AdapterExport.Builder builder)
            throws Exception {
        try (ServingModel model = ServingModel.open(family, adapter)) {
            ExportReport report = model.export(builder, Server.LLAMA_CPP, directory);
            assertThat(report.written()).isEqualTo(directory.resolve("adapter.gguf"));
            return GgufReader.read(report.written());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "patterns, llama3, serving/patterns",
        "rslora, llama3, serving/rslora",
        "heads, llama3, serving/heads",
        "layer, llama3, serving/layer",
        "mixtral, experts, experts/single_patterns",
        "phi3, phi3, phi3/lora",
        "openelm, openelm, openelm/lora"
    })
    void namesShapesAndValuesAreThoseOfLlamaCppsConverter(
            String golden, String family, String adapter) throws Exception {
        GgufReader expected = GgufReader.read(TestData.path("golden/serving/" + golden + ".gguf"));
        GgufReader found = export(family, adapter, AdapterExport.builder());
        for (String key :
                new String[] {
                    "general.architecture",
                    "general.type",
                    "adapter.type",
                    "adapter.lora.alpha",
                    "general.quantization_version"
                }) {
            assertThat(found.settings().get(key))
                    .as(key)
                    .isNotNull()
                    .isEqualTo(expected.settings().get(key));
        }
        assertThat(found.tensors().keySet())
                .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
        expected.tensors()
                .forEach(
                        (name, tensor) -> {
                            GgufReader.Tensor own = found.tensors().get(name);
                            assertThat(own.sizes()).as(name).isEqualTo(tensor.sizes());
                            for (int i = 0; i < tensor.values().size(); i++) {
                                float value = tensor.values().get(i);
                                assertThat(own.values().get(i))
                                        .as(name + " " + i)
                                        .isCloseTo(value, within(Math.abs(value) * 2e-7f));
                            }
                        });
    }

    /** A layer whose experts are not all adapted has zeros for the rest, which is no change. */
    @Test
    void expertsOfSomeLayersAreStackedThere() throws Exception {
        GgufReader found = export("experts", "experts/single_layer", AdapterExport.builder());
        assertThat(found.tensors().keySet())
                .allMatch(name -> name.startsWith("blk.2.ffn_"))
                .hasSize(6);
        assertThat(found.tensors().get("blk.2.ffn_down_exps.weight.lora_a").sizes())
                .containsExactly(12L, 2L, 4L);
    }

    @Test
    void anEmbeddingThatIsTheHeadIsRefusedAndNothingIsWritten() {
        assertThatThrownBy(() -> export("openelm", "openelm/lora_embed", AdapterExport.builder()))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("transformer.token_embeddings")
                .hasMessageContaining("merge");
        assertThat(directory.resolve("adapter.gguf")).doesNotExist();
    }

    @Test
    void theRankThatIsAskedForIsWrittenWithItsAlpha() throws Exception {
        GgufReader found = export("phi3", "phi3/lora", AdapterExport.builder().optRank(7));
        assertThat(found.settings()).containsEntry("adapter.lora.alpha", 7f);
        assertThat(found.tensors().get("blk.0.attn_qkv.weight.lora_a").sizes().get(1)).isEqualTo(7);
        assertThat(Files.size(directory.resolve("adapter.gguf"))).isPositive();
    }
}
