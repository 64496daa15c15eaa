package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import com.google.gson.JsonObject;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.Dtype;
import io.peft4j.testdata.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the commands do with a base in 16 bits. */
class DtypeCommandsTest {

    private static final Path MODEL = TestData.path("golden/openelm/model");
    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;

    private Path data() throws Exception {
        return GoldenRows.write(directory.resolve("rows.jsonl"));
    }

    private static CommandRun run(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    private double evaluated(Path model, Path adapter, String dtype) throws Exception {
        List<Object> args =
                new ArrayList<>(
                        List.of(
                                "eval", "--model", model, "--data", data(), "--json", "--dtype",
                                dtype));
        if (adapter != null) {
            args.addAll(List.of("--adapter", adapter));
        }
        return run(args.toArray()).json().get("loss").getAsDouble();
    }

    @ParameterizedTest
    @CsvSource({"lora,bfloat16,0.02", "dora,bfloat16,0.02", "lora,float16,0.002"})
    void trainEvalGenerateAndMergeInSixteenBits(String method, String dtype, double tolerance)
            throws Exception {
        Path output = directory.resolve("adapter");
        JsonObject trained =
                run(
                                "train",
                                "--model",
                                MODEL,
                                "--data",
                                data(),
                                "--eval-data",
                                data(),
                                "--method",
                                method,
                                "--rank",
                                4,
                                "--max-steps",
                                6,
                                "--learning-rate",
                                "1e-2",
                                "--dtype",
                                dtype,
                                "--output",
                                output,
                                "--json")
                        .json();
        double loss = trained.get("eval_loss").getAsDouble();
        assertThat(loss).isLessThan(evaluated(MODEL, null, dtype) - 0.05);
        assertThat(evaluated(MODEL, output, dtype)).isEqualTo(loss);
        double exact = evaluated(MODEL, output, "float32");
        assertThat(loss).isCloseTo(exact, within(tolerance)).isNotEqualTo(exact);
        assertThat(
                        run(
                                        "generate",
                                        "--model",
                                        MODEL,
                                        "--adapter",
                                        output,
                                        "--tokenizer",
                                        TOKENIZER,
                                        "--prompt",
                                        "Hello",
                                        "--max-new-tokens",
                                        4,
                                        "--dtype",
                                        dtype,
                                        "--json")
                                .json()
                                .getAsJsonArray("ids"))
                .isNotEmpty();
        Path merged = directory.resolve("merged");
        run("merge", "--model", MODEL, "--adapter", output, "--output", merged, "--dtype", dtype);
        assertThat(evaluated(merged, null, "float32")).isCloseTo(exact, within(tolerance));
    }

    @Test
    void aRunThatGoesOnNeedsTheTypeItBeganWith() throws Exception {
        Path output = directory.resolve("run");
        List<Object> flags =
                List.of(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        data(),
                        "--output",
                        output,
                        "--save-steps",
                        2,
                        "--scheduler",
                        "constant");
        List<Object> begin = new ArrayList<>(flags);
        begin.addAll(List.of("--max-steps", 2, "--dtype", "bfloat16"));
        run(begin.toArray());
        List<Object> on = new ArrayList<>(flags);
        on.addAll(List.of("--max-steps", 4, "--resume"));
        CommandRun refused = CommandRun.of(on.toArray());
        assertThat(refused.code()).isNotZero();
        assertThat(refused.err()).contains("base_dtype was bfloat16, now it is float32");
        on.addAll(List.of("--dtype", "bfloat16"));
        run(on.toArray());
    }

    @ParameterizedTest
    @ValueSource(strings = {"bfloat16", "float16", "float32"})
    void compareChecksMergesWithinTheRoundingOfTheType(String dtype) throws Exception {
        JsonObject results =
                run(
                                "compare",
                                "--model",
                                MODEL,
                                "--data",
                                data(),
                                "--eval-data",
                                data(),
                                "--methods",
                                "dora",
                                "--ranks",
                                4,
                                "--max-steps",
                                3,
                                "--dtype",
                                dtype,
                                "--output",
                                directory.resolve("out"),
                                "--json")
                        .json();
        assertThat(results.toString()).contains("dora");
    }

    @Test
    void aMergeInTheCheckpointsTypeIsTheOneInFloat32RoundedOnce() throws Exception {
        Path narrow = directory.resolve("narrow");
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu())) {
            model.save(narrow, Dtype.BF16);
        }
        Path adapter = GoldenRows.adapter("dora");
        Path kept = directory.resolve("kept");
        Path wide = directory.resolve("wide");
        run("merge", "--model", narrow, "--adapter", adapter, "--output", kept);
        run(
                "merge",
                "--model",
                narrow,
                "--adapter",
                adapter,
                "--output",
                wide,
                "--dtype",
                "float32");
        Path rounded = directory.resolve("rounded");
        try (CausalLm model = CausalLm.load(wide, Device.cpu())) {
            model.save(rounded, Dtype.BF16);
        }
        assertThat(CausalLm.storedDtype(kept)).isEqualTo(Dtype.BF16);
        assertThat(kept.resolve("model.safetensors"))
                .hasSameBinaryContentAs(rounded.resolve("model.safetensors"));
    }

    @ParameterizedTest
    @CsvSource({"cpu,BF16,F32", "cpu,F32,F32", "gpu,BF16,BF16", "gpu,F16,F32", "gpu,F32,F32"})
    void autoIsExactOnTheCpuAndTheCheckpointsBfloat16OnAGpu(
            String device, Dtype stored, Dtype chosen) {
        Device where = device.equals("cpu") ? Device.cpu() : Device.gpu();
        assertThat(ComputeOptions.automatic(stored, where)).isEqualTo(chosen);
    }
}
