package io.peft4j.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.models.ModelConfig;
import io.peft4j.serving.ServerFinding.Outcome;
import io.peft4j.testdata.TestData;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What servers make of adapters as PEFT wrote them. */
class ServerCheckTest {

    @TempDir private Path directory;

    private static List<ServerFinding> check(String server, String adapter, @Nullable String model)
            throws Exception {
        ModelConfig config =
                model == null
                        ? null
                        : ModelConfig.read(TestData.path("golden/" + model + "/model/config.json"));
        return ServerCheck.of(Server.parse(server), TestData.path(adapter), config);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "vllm | golden/serving/patterns | WRONG | 6 of 14 modules get another",
                "tgi | golden/serving/patterns | WRONG | one scaling",
                "tgi | golden/serving/patterns | WRONG | fills rank 4 up to 8",
                "djl-serving | golden/serving/patterns | WRONG | one scaling",
                "llama.cpp | golden/serving/patterns | WRONG | 3 of 14 modules get another",
                "llama.cpp | golden/serving/rslora | WRONG | use_rslora",
                "vllm | golden/serving/dora | REFUSED | LoRA only",
                "tgi | golden/serving/dora | WRONG | lora_magnitude_vector",
                "llama.cpp | golden/serving/dora | REFUSED | lora_magnitude_vector",
                "tgi | golden/serving/layer | WRONG | q_proj is adapted in 1 of 2 layers",
                "tgi | golden/serving/layer | WRONG | fills rank 9 up to 16",
                "tgi | golden/serving/heads | WRONG | model.embed_tokens",
                "vllm | golden/serving/pissa | WRONG | init_lora_weights pissa",
                "llama.cpp | golden/serving/olora | WRONG | init_lora_weights olora",
                "tgi | golden/phi3/lora | WRONG | gate_up_proj",
                "vllm | golden/experts/fused_all | REFUSED | convert --experts single",
                "vllm | peft/mts | REFUSED | modules_to_save",
                "llama.cpp | peft/mts | REFUSED | lm_head.weight",
                "tgi | peft/mts | WRONG | lm_head.weight",
                "vllm | peft/bias_all | REFUSED | biases",
                "vllm | peft/tok | REFUSED | trainable_token_indices"
            })
    void whatGoesWrongIsSaid(String server, String adapter, Outcome outcome, String text)
            throws Exception {
        assertThat(check(server, adapter, null))
                .anySatisfy(
                        finding -> {
                            assertThat(finding.outcome()).isEqualTo(outcome);
                            assertThat(finding.text()).contains(text);
                        });
    }

    /** A rank pattern alone is right there: each module's alpha is divided by its own rank. */
    @ParameterizedTest
    @CsvSource({
        "vllm, golden/llama3/lora",
        "djl-serving, golden/llama3/lora",
        "vllm, golden/llama3/rslora",
        "llama.cpp, golden/llama3/lora",
        "llama.cpp, golden/serving/heads",
        "llama.cpp, golden/serving/layer"
    })
    void whatGoesRightIsNotComplainedOf(String server, String adapter) throws Exception {
        assertThat(check(server, adapter, "llama3")).isEmpty();
    }

    @Test
    void aModelTellsMore() throws Exception {
        assertThat(check("llama.cpp", "golden/openelm/lora_embed", "openelm"))
                .singleElement()
                .satisfies(
                        finding -> {
                            assertThat(finding.outcome()).isEqualTo(Outcome.REFUSED);
                            assertThat(finding.text()).contains("one tensor for embeddings");
                        });
        assertThat(check("tgi", "golden/experts/single_layer", "experts"))
                .anySatisfy(finding -> assertThat(finding.text()).contains("w1"));
    }

    @Test
    void aLargeRankNeedsAFlagAndATooLargeOneIsRefused() throws Exception {
        for (int rank : new int[] {24, 600}) {
            try (ServingModel model = ServingModel.open("llama3", "serving/gaussian")) {
                model.export(AdapterExport.builder().optRank(rank), Server.LLAMA_CPP, directory);
                assertThatThrownBy(
                                () ->
                                        model.export(
                                                AdapterExport.builder().optRank(600),
                                                Server.VLLM,
                                                directory))
                        .hasMessageContaining("512");
                model.export(AdapterExport.builder().optRank(rank), Server.TGI, directory);
            }
            List<ServerFinding> found = ServerCheck.of(Server.VLLM, directory, null);
            assertThat(found).singleElement();
            assertThat(found.get(0).outcome())
                    .isEqualTo(rank == 24 ? Outcome.NEEDS : Outcome.REFUSED);
            assertThat(found.get(0).text())
                    .contains(rank == 24 ? "--max-lora-rank 32" : "at most 512");
        }
    }

    @Test
    void aServerIsKnownByItsNameOnly() {
        assertThat(Server.parse("LLAMA.CPP")).isEqualTo(Server.LLAMA_CPP);
        assertThatThrownBy(() -> Server.parse("ollama"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vllm, tgi, llama.cpp, djl-serving")
                .hasMessageContaining("ollama");
    }
}
