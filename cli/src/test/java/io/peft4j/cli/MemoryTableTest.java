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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The tables of foretold memory in docs/fine-tuning.md, against what the code foretells. */
final class MemoryTableTest {

    /** The published OpenELM models: name, layers, width, head width. */
    private enum Published {
        OPENELM_270M("270M", 16, 1280, 64),
        OPENELM_450M("450M", 20, 1536, 64),
        OPENELM_1_1B("1.1B", 28, 2048, 64),
        OPENELM_3B("3B", 36, 3072, 128);

        private final String size;
        private final int layers;
        private final int width;
        private final int headDim;

        Published(String size, int layers, int width, int headDim) {
            this.size = size;
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
            return ModelConfig.of(json, size);
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
            ModelConfig model, LowRankConfig adapter, Dtype type, Place place, boolean again) {
        MemoryPlan plan =
                DryRun.plan(
                        model,
                        adapter,
                        // of a processor that has instructions for the type
                        new Computation(type, place.device, MatrixProduct.LINEAR),
                        place.rows,
                        place.length);
        long peak = plan.peak(again).orElseThrow();
        // the floor is the host's
        long bytes = place.device.isGpu() ? peak - MemoryPlan.FLOOR : peak;
        return String.format(Locale.ROOT, "%.2f", bytes / 1e9);
    }

    /** What a table is of. */
    private enum Place {
        CPU(Device.cpu(), 4, 512, "| OpenELM "),
        GPU(Device.gpu(0), 8, 1024, "| ");

        private final Device device;
        private final int rows;
        private final int length;
        private final String start;

        Place(Device device, int rows, int length, String start) {
            this.device = device;
            this.rows = rows;
            this.length = length;
            this.start = start;
        }
    }

    private static List<String> table(Place place) {
        List<String> lines = new ArrayList<>();
        for (Published published : Published.values()) {
            ModelConfig model = published.config();
            String[] targets = model.defaultTargetModules().toArray(new String[0]);
            LowRankConfig lora = LoraConfig.builder().setRank(16).setTargetModules(targets).build();
            LowRankConfig dora = DoraConfig.builder().setRank(16).setTargetModules(targets).build();
            for (Dtype type : List.of(Dtype.F32, Dtype.BF16)) {
                lines.add(
                        String.format(
                                "%s%s | %s | %s | %s | %s | %s |",
                                place.start,
                                published.size,
                                type.torchName(),
                                gigabytes(model, lora, type, place, false),
                                gigabytes(model, lora, type, place, true),
                                gigabytes(model, dora, type, place, false),
                                gigabytes(model, dora, type, place, true)));
            }
        }
        return lines;
    }

    @ParameterizedTest
    @EnumSource
    void theGuidesTablesAreWhatTheCodeForetells(Place place) throws Exception {
        String expected = String.join("\n", table(place));
        assertThat(Files.readString(Path.of("../docs/fine-tuning.md"))).contains(expected);
    }
}
