package io.peft4j.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Provenance;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Exports in PEFT's format compute what PEFT computed with the adapter that they were made of. */
class AdapterExportTest {

    private static final String INPUT = "llama3/golden.safetensors";
    private static final float TOLERANCE = 2e-5f; // that of the families' logits, up to 6 here

    @TempDir private Path directory;

    private static float[] golden(String adapter) throws Exception {
        try (SafetensorsFile file =
                SafetensorsFile.open(TestData.path("golden/" + adapter + "/golden.safetensors"))) {
            return file.toFloats("logits");
        }
    }

    private static void assertClose(float[] found, float[] expected) {
        assertThat(found).hasSameSizeAs(expected);
        float largest = 0;
        for (int i = 0; i < found.length; i++) {
            largest = Math.max(largest, Math.abs(found[i] - expected[i]));
        }
        assertThat(largest).isLessThan(TOLERANCE);
    }

    @ParameterizedTest
    @CsvSource({
        "vllm, llama3, serving/patterns, 6, " + INPUT,
        "vllm, llama3, serving/rslora, 6, " + INPUT,
        "vllm, llama3, serving/heads, 5, " + INPUT,
        "vllm, llama3, serving/layer, 9, " + INPUT,
        "vllm, llama3, serving/gaussian, 4, " + INPUT,
        "vllm, llama3, serving/orthogonal, 4, " + INPUT,
        "vllm, llama3, serving/pissa, 4, " + INPUT,
        "vllm, llama3, serving/olora, 4, " + INPUT,
        "vllm, experts, experts/single_patterns, 5, experts/golden.safetensors",
        "tgi, llama3, serving/patterns, 8, " + INPUT,
        "tgi, llama3, serving/layer, 16, " + INPUT,
        "tgi, llama3, serving/rslora, 8, " + INPUT,
    })
    void theExportComputesWhatPeftDidWithTheAdapter(
            String server, String family, String adapter, int rank, String input) throws Exception {
        try (ServingModel model = ServingModel.open(family, adapter)) {
            ExportReport report =
                    model.export(AdapterExport.builder(), Server.parse(server), directory);
            assertThat(report.rank()).isEqualTo(rank);
            assertThat(report.leastEnergy()).isEqualTo(1);
            assertThat(report.needs()).isEmpty();
        }
        assertPortable(rank);
        try (ServingModel model = ServingModel.open(family, directory)) {
            assertClose(model.logits(input), golden(adapter));
        }
        assertThat(ServerCheck.of(Server.parse(server), directory, null)).isEmpty();
    }

    private void assertPortable(int rank) throws Exception {
        PeftConfig config = PeftConfig.read(directory);
        assertThat(config.integer("r")).hasValue(rank);
        assertThat(config.number("lora_alpha")).hasValue((double) rank);
        assertThat(config.numbers("rank_pattern")).isEmpty();
        assertThat(config.numbers("alpha_pattern")).isEmpty();
        assertThat(config.flag("use_rslora")).isFalse();
        assertThat(config.flag("use_dora")).isFalse();
        assertThat(config.json().get("init_lora_weights").getAsBoolean()).isTrue();
        assertThat(config.string("task_type")).hasValue("CAUSAL_LM");
        try (SafetensorsFile file =
                SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            for (String name : file.names()) {
                boolean down = name.endsWith("lora_A.weight") || name.endsWith("lora_embedding_A");
                assertThat(file.tensor(name).shape().get(down ? 0 : 1)).isEqualTo(rank);
            }
        }
    }

    @Test
    void tgiGetsAllLayersOfAKindAndShortNames() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/layer")) {
            model.export(AdapterExport.builder(), Server.TGI, directory);
        }
        assertThat(PeftConfig.read(directory).strings("target_modules"))
                .containsExactly("q_proj", "v_proj");
        try (SafetensorsFile file =
                SafetensorsFile.open(directory.resolve("adapter_model.safetensors"))) {
            assertThat(file.names()).hasSize(8);
            assertThat(
                            file.toFloats(
                                    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"))
                    .containsOnly(0);
        }
    }

    @Test
    void modulesOfOneLayerAreNamedWhole() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/layer")) {
            model.export(AdapterExport.builder(), Server.VLLM, directory);
        }
        assertThat(PeftConfig.read(directory).strings("target_modules"))
                .containsExactly(
                        "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj");
    }

    @Test
    void doraOfFullRankIsTheSameFunction() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/dora")) {
            ExportReport report =
                    model.export(AdapterExport.builder().optRank(48), Server.VLLM, directory);
            assertThat(report.leastEnergy()).isCloseTo(1, within(1e-9));
            assertThat(report.needs()).containsExactly("--max-lora-rank 64");
        }
        try (ServingModel model = ServingModel.open("llama3", directory)) {
            assertClose(model.logits(INPUT), golden("serving/dora"));
        }
    }

    @Test
    void doraCutToARankTellsTheEnergyThatIsLeft() throws Exception {
        String path = "model.layers.0.self_attn.q_proj";
        double whole;
        double before;
        try (ServingModel model = ServingModel.open("llama3", "serving/dora");
                NDManager scope = model.model().manager().newSubManager()) {
            ExportReport report =
                    model.export(AdapterExport.builder().optRank(3), Server.VLLM, directory);
            NDArray change = model.adapted().adapter().delta(scope, path);
            whole = squares(change.toFloatArray());
            before =
                    report.modules().stream()
                            .filter(module -> module.path().equals(path))
                            .findFirst()
                            .orElseThrow()
                            .energy();
            assertThat(report.leastEnergy()).isBetween(0.3, 0.99);
        }
        try (ServingModel model = ServingModel.open("llama3", directory);
                NDManager scope = model.model().manager().newSubManager()) {
            // the best approximation keeps a part of the change that is orthogonal to the rest
            double kept = squares(model.adapted().adapter().delta(scope, path).toFloatArray());
            assertThat(before).isCloseTo(kept / whole, within(1e-5));
        }
        assertThat(Provenance.read(directory).orElseThrow().get("export.rank")).hasValue("3");
    }

    private static double squares(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += (double) value * value;
        }
        return sum;
    }

    @Test
    void aRankBelowTheAdaptersOwnIsCutAndSaid() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/patterns")) {
            ExportReport report =
                    model.export(AdapterExport.builder().optRank(4), Server.VLLM, directory);
            List<String> cut =
                    report.modules().stream()
                            .filter(module -> module.energy() < 1)
                            .map(ExportReport.Kept::path)
                            .toList();
            assertThat(cut).containsExactly("model.layers.1.mlp.up_proj"); // its rank is 6
        }
    }

    @Test
    void doraWithoutARankIsRefusedAndNothingIsWritten() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/dora")) {
            for (Server server : Server.values()) {
                assertThatThrownBy(() -> model.export(AdapterExport.builder(), server, directory))
                        .isInstanceOf(AdapterConfigException.class)
                        .hasMessageContaining("full rank")
                        .hasMessageContaining("merge");
            }
        }
        assertThat(directory).isEmptyDirectory();
    }

    @ParameterizedTest
    @CsvSource({
        "tgi, experts, experts/single_patterns",
        "tgi, phi3, phi3/lora",
        "tgi, llama3, serving/heads",
        "tgi, openelm, openelm/lora"
    })
    void whatAServerWouldPassOverIsRefused(String server, String family, String adapter)
            throws Exception {
        try (ServingModel model = ServingModel.open(family, adapter)) {
            assertThatThrownBy(
                            () ->
                                    model.export(
                                            AdapterExport.builder(),
                                            Server.parse(server),
                                            directory))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("pass over");
        }
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void djlServingGetsItsDirectory() throws Exception {
        try (ServingModel model = ServingModel.open("llama3", "serving/patterns")) {
            AdapterExport.Builder tone = AdapterExport.builder().optName("tone").optRank(24);
            model.export(tone, Server.DJL_SERVING, directory);
            model.export(AdapterExport.builder().optName("two"), Server.DJL_SERVING, directory);
        }
        assertThat(Files.readAllLines(directory.resolve("serving.properties")))
                .contains(
                        "option.model_id=golden/llama3",
                        "option.enable_lora=true",
                        "option.max_lora_rank=32"); // of the first: a file there is kept
        for (String name : List.of("tone", "two")) {
            try (ServingModel model =
                    ServingModel.open("llama3", directory.resolve("adapters").resolve(name))) {
                assertClose(model.logits(INPUT), golden("serving/patterns"));
            }
        }
        for (String name : List.of("", "..", ".hidden", "a/b", "a\\b", "a\nb")) {
            assertThatThrownBy(() -> AdapterExport.builder().optName(name))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aBaseModelsNameCannotAddSettings() throws Exception {
        Path adapter = directory.resolve("adapter");
        Files.createDirectory(adapter);
        Path source = TestData.path("golden/serving/gaussian");
        Files.copy(
                source.resolve("adapter_model.safetensors"),
                adapter.resolve("adapter_model.safetensors"));
        Files.writeString(
                adapter.resolve("adapter_config.json"),
                Files.readString(source.resolve("adapter_config.json"))
                        .replace("golden/llama3", "x\\noption.trust_remote_code=true"));
        Path output = directory.resolve("output");
        try (ServingModel model = ServingModel.open("llama3", adapter)) {
            assertThatThrownBy(
                            () -> model.export(AdapterExport.builder(), Server.DJL_SERVING, output))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("control characters");
        }
        assertThat(output).doesNotExist();
    }
}
