package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.lora.LowRankConfig;
import io.peft4j.models.Computation;
import io.peft4j.models.MatrixProduct;
import io.peft4j.models.ModelConfig;
import io.peft4j.safetensors.Dtype;
import io.peft4j.tuning.MemoryPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** README's table of foretold memory, against what the code foretells. */
final class MemoryTableTest {

    private static final int ROWS = 4;
    private static final int LENGTH = 512;

    /** The published OpenELM models: name, layers, width, head width. */
    private enum Published {
        OPENELM_270M("OpenELM 270M", 16, 1280, 64),
        OPENELM_450M("OpenELM 450M", 20, 1536, 64),
        OPENELM_1_1B("OpenELM 1.1B", 28, 2048, 64),
        OPENELM_3B("OpenELM 3B", 36, 3072, 128);

        private final String title;
        private final int layers;
        private final int width;
        private final int headDim;

        Published(String title, int layers, int width, int headDim) {
            this.title = title;
            this.layers = layers;
            this.width = width;
            this.headDim = headDim;
        }

        ModelConfig config() {
            JsonObject json =
                    JsonParser.parseString(
                                    """
                                    {"model_type": "openelm", "vocab_size": 32000,
                                     "max_context_length": 2048, "num_gqa_groups": 4,
                                     "ffn_multipliers": [0.5, 4.0], "ffn_dim_divisor": 256,
                                     "qkv_multipliers": [0.5, 1.0],
                                     "normalize_qk_projections": true,
                                     "share_input_output_layers": true}
                                    """)
                            .getAsJsonObject();
            json.addProperty("num_transformer_layers", layers);
            json.addProperty("model_dim", width);
            json.addProperty("head_dim", headDim);
            return ModelConfig.of(json, title);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "OPENELM_270M,271527168",
        "OPENELM_450M,457179136",
        "OPENELM_1_1B,1079891456",
        "OPENELM_3B,3036647424"
    })
    void theConfigsHaveThePublishedNumberOfParameters(Published model, long parameters) {
        assertThat(model.config().parameterCount()).isEqualTo(parameters);
    }

    private static String gigabytes(
            ModelConfig model, LowRankConfig adapter, Dtype type, boolean checkpointing) {
        MemoryPlan plan =
                DryRun.plan(
                        model,
                        adapter,
                        // of a processor that has instructions for the type
                        new Computation(type, Device.cpu(), MatrixProduct.LINEAR),
                        ROWS,
                        LENGTH);
        return String.format(Locale.ROOT, "%.2f", plan.peak(checkpointing).orElseThrow() / 1e9);
    }

    private static List<String> table() {
        List<String> lines = new ArrayList<>();
        for (Published published : Published.values()) {
            ModelConfig model = published.config();
            String[] targets = model.defaultTargetModules().toArray(new String[0]);
            LowRankConfig lora = LoraConfig.builder().setRank(16).setTargetModules(targets).build();
            LowRankConfig dora = DoraConfig.builder().setRank(16).setTargetModules(targets).build();
            for (Dtype type : List.of(Dtype.F32, Dtype.BF16)) {
                lines.add(
                        String.format(
                                "| %s | %s | %s | %s | %s | %s |",
                                published.title,
                                type.torchName(),
                                gigabytes(model, lora, type, false),
                                gigabytes(model, lora, type, true),
                                gigabytes(model, dora, type, false),
                                gigabytes(model, dora, type, true)));
            }
        }
        return lines;
    }

    @Test
    void readmesTableIsWhatTheCodeForetells() throws Exception {
        List<String> expected = table();
        List<String> found =
                Files.readAllLines(Path.of("../README.md")).stream()
                        .filter(line -> line.startsWith("| OpenELM "))
                        .toList();
        assertThat(found)
                .as("README's table should be%n%s", String.join("\n", expected))
                .isEqualTo(expected);
    }
}
