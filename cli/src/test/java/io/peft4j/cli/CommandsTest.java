package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each command on the small OpenELM whose numbers real PEFT and torch wrote. */
final class CommandsTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;

    @Test
    void evalGivesTheReferencesLoss() throws Exception {
        CommandRun run = run("eval", "--model", MODEL, "--data", data(), "--json");
        try (SafetensorsFile golden = GoldenRows.golden("")) {
            assertThat(run.json().get("loss").getAsDouble())
                    .isCloseTo(golden.toFloats("padded_loss")[0], within(2e-5));
        }
        assertThat(run.json().keySet()).containsExactly("loss", "perplexity", "tokens");
        assertThat(run.json().get("perplexity").getAsDouble())
                .isEqualTo(Math.exp(run.json().get("loss").getAsDouble()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void evalWithAnAdapterGivesTheReferencesLoss(String method) throws Exception {
        CommandRun run =
                run(
                        "eval",
                        "--model",
                        MODEL,
                        "--adapter",
                        GoldenRows.adapter(method),
                        "--data",
                        data(),
                        "--json");
        try (SafetensorsFile golden = GoldenRows.golden(method)) {
            assertThat(run.json().get("loss").getAsDouble())
                    .isCloseTo(golden.toFloats("train_losses")[0], within(2e-5));
        }
    }

    @Test
    void evalsLossIsTheMeanOverTheTokensOfAllExamples() throws Exception {
        JsonObject json =
                run("eval", "--model", MODEL, "--data", data(), "--json", "--per-example").json();
        double sum = 0;
        long tokens = 0;
        JsonArray examples = json.getAsJsonArray("examples");
        for (int i = 0; i < examples.size(); i++) {
            JsonObject example = examples.get(i).getAsJsonObject();
            tokens += example.get("tokens").getAsLong();
            sum += example.get("loss").getAsDouble() * example.get("tokens").getAsLong();
        }
        assertThat(tokens).isEqualTo(json.get("tokens").getAsLong());
        assertThat(json.get("loss").getAsDouble()).isCloseTo(sum / tokens, within(1e-12));
    }

    @Test
    void evalRefusesARowBeyondTheContext() throws Exception {
        Path file = directory.resolve("long.jsonl");
        Files.writeString(
                file, "{\"input_ids\": [" + "5, ".repeat(64) + "5]}\n"); // the context is 64
        CommandRun run = CommandRun.of("eval", "--model", MODEL, "--data", file);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("long.jsonl").contains("65").contains("64");
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void textWithoutATokenizerIsRefusedAndATokenizerStandsIn() throws Exception {
        Path file = directory.resolve("text.jsonl");
        Files.writeString(file, "{\"text\": \"Hello, world!\"}\n");
        CommandRun without = CommandRun.of("eval", "--model", MODEL, "--data", file);
        assertThat(without.code()).isNotZero();
        assertThat(without.err().lines()).hasSize(1);
        assertThat(without.err()).contains("tokenizer");
        CommandRun with =
                run("eval", "--model", MODEL, "--data", file, "--tokenizer", TOKENIZER, "--json");
        assertThat(with.json().get("tokens").getAsLong()).isEqualTo(14);
    }

    @ParameterizedTest
    @CsvSource({"lora", "dora"})
    void fiveStepsOnASavedAdapterGiveTorchsAdapter(String method) throws Exception {
        Path output = directory.resolve("trained");
        run(
                "train",
                "--model",
                MODEL,
                "--init-adapter",
                GoldenRows.adapter(method),
                "--data",
                data(),
                "--output",
                output,
                "--no-shuffle",
                "--max-steps",
                "5",
                "--scheduler",
                "constant",
                "--learning-rate",
                "1e-2",
                "--weight-decay",
                "0.01",
                "--batch-size",
                "2",
                "--max-grad-norm",
                "0");
        try (SafetensorsFile golden = GoldenRows.golden(method);
                SafetensorsFile trained =
                        SafetensorsFile.open(output.resolve("adapter_model.safetensors"))) {
            assertThat(trained.names()).isNotEmpty();
            for (String name : trained.names()) {
                assertThat(trained.toFloats(name))
                        .as(name)
                        .containsExactly(golden.toFloats("step5." + name), within(2e-5f));
            }
        }
        assertThat(Files.readString(output.resolve("metrics.jsonl")).lines().count())
                .isGreaterThanOrEqualTo(5);
    }

    @Test
    void aNewAdapterIsTrainedSavedAndBetter() throws Exception {
        Path output = directory.resolve("new");
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
                                "dora",
                                "--rank",
                                "3",
                                "--rslora",
                                "--target-modules",
                                "qkv_proj",
                                "--learning-rate",
                                "0.01",
                                "--max-steps",
                                "8",
                                "--output",
                                output,
                                "--json")
                        .json();
        double before =
                run("eval", "--model", MODEL, "--data", data(), "--json")
                        .json()
                        .get("loss")
                        .getAsDouble();
        assertThat(trained.get("eval_loss").getAsDouble()).isLessThan(before);
        JsonObject adapter = run("inspect", output, "--json").json();
        assertThat(adapter.get("method").getAsString()).isEqualTo("dora");
        assertThat(adapter.get("rank").getAsInt()).isEqualTo(3);
        assertThat(adapter.get("alpha").getAsDouble()).isEqualTo(6);
        assertThat(adapter.get("scaling").getAsDouble()).isEqualTo(6 / Math.sqrt(3));
        assertThat(adapter.get("target_modules").toString()).isEqualTo("[\"qkv_proj\"]");
        assertThat(adapter.getAsJsonArray("tensors")).hasSize(9);
        double after =
                run("eval", "--model", MODEL, "--adapter", output, "--data", data(), "--json")
                        .json()
                        .get("loss")
                        .getAsDouble();
        assertThat(after).isEqualTo(trained.get("eval_loss").getAsDouble());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --rank 8                      | --rank 8 contradicts --init-adapter
                    --alpha 4                     | --alpha 4.0 contradicts --init-adapter
                    --method lora                 | --method lora contradicts --init-adapter
                    --target-modules qkv_proj     | --target-modules qkv_proj contradicts --init-adapter
                    --init gaussian               | --init cannot be given
                    --rslora                      | --rslora true contradicts --init-adapter
                    """)
    void aFlagThatContradictsTheSavedAdapterIsRefused(String flags, String message)
            throws Exception {
        CommandRun run = trainOn("dora", flags);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains(message);
    }

    @Test
    void aFlagThatAgreesWithTheSavedAdapterIsFine() throws Exception {
        CommandRun run =
                trainOn("dora", "--rank 4 --alpha 8 --method dora --target-modules all-linear");
        assertThat(run.err()).contains("trainable params");
        assertThat(run.code()).isZero();
    }

    @Test
    void aRunWithLoraPlusIsNotResumedWithAnotherRatio() throws Exception {
        Object[] training = {
            "train",
            "--model",
            MODEL,
            "--data",
            data(),
            "--output",
            directory.resolve("plus"),
            "--rank",
            "2",
            "--max-steps",
            "1",
            "--save-steps",
            "1",
            "--loraplus-lr-embedding",
            "1e-4",
            "--loraplus-ratio"
        };
        run(with(List.of(training), "4"));
        CommandRun other = CommandRun.of(with(List.of(training), "8", "--resume"));
        assertThat(other.code()).isNotZero();
        assertThat(other.err()).contains("loraplus_lr_ratio was 4.0, now it is 8.0");
    }

    @Test
    void fullTrainingWritesAModelThatIsBetter() throws Exception {
        Path output = directory.resolve("full");
        double trained =
                run(
                                "train",
                                "--model",
                                MODEL,
                                "--data",
                                data(),
                                "--eval-data",
                                data(),
                                "--method",
                                "full",
                                "--max-steps",
                                "5",
                                "--learning-rate",
                                "1e-3",
                                "--output",
                                output,
                                "--json")
                        .json()
                        .get("eval_loss")
                        .getAsDouble();
        JsonObject evaluated = run("eval", "--model", output, "--data", data(), "--json").json();
        assertThat(evaluated.get("loss").getAsDouble()).isEqualTo(trained);
        assertThat(trained)
                .isLessThan(
                        run("eval", "--model", MODEL, "--data", data(), "--json")
                                .json()
                                .get("loss")
                                .getAsDouble());
    }

    @Test
    void anInterruptedRunGoesOnToTheSameBits() throws Exception {
        Path whole = directory.resolve("whole");
        Path parts = directory.resolve("parts");
        List<Object> flags =
                List.of(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        data(),
                        "--batch-size",
                        "1",
                        "--scheduler",
                        "constant",
                        "--save-steps",
                        "2",
                        "--dropout",
                        "0.1");
        run(with(flags, "--output", whole, "--max-steps", "4"));
        run(with(flags, "--output", parts, "--max-steps", "2"));
        CommandRun again = CommandRun.of(with(flags, "--output", parts, "--max-steps", "4"));
        assertThat(again.code()).isEqualTo(2);
        assertThat(again.err()).contains("--resume");
        run(with(flags, "--output", parts, "--max-steps", "4", "--resume"));
        assertThat(parts.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("adapter_model.safetensors"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void mergeWritesAModelWithTheAdaptersLoss(String method) throws Exception {
        Path output = directory.resolve("merged");
        CommandRun merged =
                run(
                        "merge",
                        "--model",
                        MODEL,
                        "--adapter",
                        GoldenRows.adapter(method),
                        "--tokenizer",
                        TOKENIZER,
                        "--output",
                        output,
                        "--json");
        assertThat(merged.json().get("dtype").getAsString()).isEqualTo("float32");
        assertThat(merged.json().get("largest_change").getAsDouble()).isPositive();
        assertThat(merged.json().getAsJsonArray("sites")).hasSize(12);
        assertThat(output.resolve("tokenizer.json")).exists();
        JsonObject evaluated = run("eval", "--model", output, "--data", data(), "--json").json();
        try (SafetensorsFile golden = GoldenRows.golden(method)) {
            assertThat(evaluated.get("loss").getAsDouble())
                    .isCloseTo(golden.toFloats("train_losses")[0], within(2e-5));
        }
    }

    @Test
    void mergeOfAnAdapterOfTheEmbeddingsUntiesTheHeadAndSaysSo() throws Exception {
        Path output = directory.resolve("merged");
        String adapter = GoldenRows.adapter("lora_embed").toString();
        List<Object> merge = List.of("merge", "--model", MODEL, "--adapter", adapter, "--output");
        CommandRun merged = run(with(merge, output));
        assertThat(merged.out().lines()).hasSize(2);
        assertThat(merged.out())
                .startsWith("merged 13 weights")
                .contains("the output head has a weight of its own now");
        JsonObject config =
                JsonParser.parseString(Files.readString(output.resolve("config.json")))
                        .getAsJsonObject();
        assertThat(config.get("tie_word_embeddings").getAsBoolean()).isFalse();
        JsonObject evaluated = run("eval", "--model", output, "--data", data(), "--json").json();
        List<Object> apart = List.of("eval", "--model", MODEL, "--adapter", adapter, "--data");
        double expected = run(with(apart, data(), "--json")).json().get("loss").getAsDouble();
        assertThat(evaluated.get("loss").getAsDouble()).isCloseTo(expected, within(2e-5));
        JsonObject json = run(with(merge, directory.resolve("again"), "--json")).json();
        assertThat(json.get("untied_head").getAsBoolean()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"bfloat16", "float16"})
    void mergeWritesTheTypeItIsAskedFor(String type) throws Exception {
        Path output = directory.resolve("merged");
        run(
                "merge",
                "--model",
                MODEL,
                "--adapter",
                GoldenRows.adapter("lora"),
                "--output",
                output,
                "--dtype",
                type);
        JsonObject model = run("inspect", output, "--json").json();
        assertThat(model.get("dtype").getAsString()).isEqualTo(type);
        assertThat(
                        model.getAsJsonArray("tensors")
                                .get(0)
                                .getAsJsonObject()
                                .get("dtype")
                                .getAsString())
                .isEqualTo(type);
    }

    @Test
    void inspectTellsAModel() {
        JsonObject model = run("inspect", MODEL, "--json").json();
        assertThat(model.get("architecture").getAsString()).isEqualTo("openelm");
        assertThat(model.get("layers").getAsInt()).isEqualTo(3);
        assertThat(model.get("target_modules").toString())
                .isEqualTo("[\"qkv_proj\",\"out_proj\",\"proj_1\",\"proj_2\"]");
        assertThat(model.getAsJsonArray("sites")).hasSize(12);
        assertThat(run("inspect", MODEL).out())
                .contains("architecture")
                .contains("transformer.layers.0.attn.qkv_proj");
    }

    @Test
    void generateContinuesAPromptAndStops() {
        Object[] flags = {
            "generate",
            "--model",
            MODEL,
            "--tokenizer",
            TOKENIZER,
            "--prompt",
            "Hello",
            "--max-new-tokens",
            "6"
        };
        JsonObject json = run(with(List.of(flags), "--json")).json();
        assertThat(json.get("prompt_tokens").getAsInt()).isEqualTo(6);
        assertThat(json.getAsJsonArray("ids").size()).isBetween(1, 6);
        assertThat(run(flags).out()).isEqualTo(json.get("text").getAsString() + "\n");
    }

    @Test
    void generateWithoutATokenizerTellsWhatToGive() {
        CommandRun run = CommandRun.of("generate", "--model", MODEL, "--prompt", "Hello");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--tokenizer");
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void compareOfAdaptersOfTheEmbeddingsChecksTheirMergeAndLeavesTheModelTied() throws Exception {
        Path output = directory.resolve("comparison");
        run(
                "compare",
                "--model",
                MODEL,
                "--data",
                data(),
                "--eval-data",
                data(),
                "--ranks",
                "2",
                "--max-steps",
                "2",
                "--target-modules",
                "qkv_proj,token_embeddings",
                "--output",
                output);
        JsonObject results =
                JsonParser.parseString(Files.readString(output.resolve("results.json")))
                        .getAsJsonObject();
        for (var element : results.getAsJsonArray("runs")) {
            String adapter = element.getAsJsonObject().get("adapter").getAsString();
            CommandRun evaluated =
                    run("eval", "--model", MODEL, "--adapter", adapter, "--data", data());
            assertThat(evaluated.err()).isEmpty(); // the adapter is of this very base
        }
    }

    @Test
    void compareShowsWhichDidWhatAndEvalFindsTheSameLoss() throws Exception {
        Path output = directory.resolve("comparison");
        CommandRun compared =
                run(
                        "compare",
                        "--model",
                        MODEL,
                        "--data",
                        data(),
                        "--eval-data",
                        data(),
                        "--ranks",
                        "2",
                        "--max-steps",
                        "4",
                        "--learning-rate",
                        "0.01",
                        "--output",
                        output);
        assertThat(compared.out()).contains("lora").contains("dora").contains("report.html");
        JsonObject results =
                JsonParser.parseString(Files.readString(output.resolve("results.json")))
                        .getAsJsonObject();
        assertThat(results.getAsJsonArray("runs")).hasSize(2);
        for (var element : results.getAsJsonArray("runs")) {
            JsonObject run = element.getAsJsonObject();
            double evaluated =
                    run(
                                    "eval",
                                    "--model",
                                    results.get("model").getAsString(),
                                    "--adapter",
                                    run.get("adapter").getAsString(),
                                    "--data",
                                    results.get("eval_data").getAsString(),
                                    "--json")
                            .json()
                            .get("loss")
                            .getAsDouble();
            assertThat(evaluated).isEqualTo(run.get("loss_after").getAsDouble());
            assertThat(run.get("loss_after").getAsDouble())
                    .isLessThan(run.get("loss_before").getAsDouble());
            assertThat(run.get("trainable").getAsLong()).isPositive();
            assertThat(run.get("tokens_per_second").getAsDouble()).isPositive();
            assertThat(run.get("peak_memory_mb").getAsDouble()).isPositive();
        }
        assertThat(output.resolve("loss_curves.png")).isNotEmptyFile();
        assertThat(output.resolve("report.html")).isNotEmptyFile();
    }

    private CommandRun trainOn(String adapter, String flags) throws Exception {
        List<Object> args =
                new ArrayList<>(
                        List.of(
                                "train",
                                "--model",
                                MODEL,
                                "--init-adapter",
                                GoldenRows.adapter(adapter),
                                "--data",
                                data(),
                                "--max-steps",
                                "1",
                                "--output",
                                directory.resolve("trained")));
        args.addAll(List.of(flags.split(" ")));
        return CommandRun.of(args.toArray());
    }

    private Path data() throws Exception {
        return GoldenRows.write(directory.resolve("rows.jsonl"));
    }

    private static Object[] with(List<Object> args, Object... more) {
        List<Object> all = new ArrayList<>(args);
        all.addAll(List.of(more));
        return all.toArray();
    }

    private static CommandRun run(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }
}
