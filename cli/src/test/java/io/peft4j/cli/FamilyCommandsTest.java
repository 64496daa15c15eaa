package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A user's way from training to the merged model, on each family. */
final class FamilyCommandsTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;

    private static CommandRun run(List<?> model, Object... more) {
        List<Object> args = new ArrayList<>(model);
        args.addAll(List.of(more));
        CommandRun run = CommandRun.of(args.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    private static double loss(Path data, Object... model) {
        return run(List.of("eval", "--json", "--tokenizer", TOKENIZER, "--data", data), model)
                .json()
                .get("loss")
                .getAsDouble();
    }

    private static String generate(Object... model) {
        return run(
                        List.of(
                                "generate",
                                "--tokenizer",
                                TOKENIZER,
                                "--prompt",
                                "Hello",
                                "--max-new-tokens=6"),
                        model)
                .out();
    }

    @ParameterizedTest
    @CsvSource({
        "llama3, lora", "llama3, dora", "phi3, lora", "phi3, dora", "mistral, lora",
        "mistral, dora", "qwen2, lora", "qwen2, dora", "mixtral, lora", "mixtral, dora"
    })
    void trainEvalGenerateAndMerge(String family, String method) throws Exception {
        Path model = TestData.path("golden/" + family + "/model");
        Path data =
                Files.writeString(
                        directory.resolve("data.jsonl"),
                        """
                        {"text": "To be, or not to be"}
                        {"prompt": "2+2=", "completion": " 4"}
                        {"text": "Zürich"}
                        """);
        Path adapter = directory.resolve("adapter");
        double trained =
                run(
                                List.of(
                                        "train",
                                        "--tokenizer",
                                        TOKENIZER,
                                        "--data",
                                        data,
                                        "--json"),
                                "--model",
                                model,
                                "--eval-data",
                                data,
                                "--method",
                                method,
                                "--output",
                                adapter,
                                "--rank=4",
                                "--max-steps=3",
                                "--learning-rate=2e-2")
                        .json()
                        .get("eval_loss")
                        .getAsDouble();
        double base = loss(data, "--model", model);
        assertThat(trained).isLessThan(base - 0.01);
        assertThat(loss(data, "--model", model, "--adapter", adapter)).isEqualTo(trained);

        Path merged = directory.resolve("merged");
        run(
                List.of("merge", "--model", model, "--adapter", adapter, "--output", merged),
                "--dtype=float32"); // the configs say bfloat16, which rounds
        assertThat(loss(data, "--model", merged)).isCloseTo(trained, within(2e-5));

        String text = generate("--model", model, "--adapter", adapter);
        assertThat(text).isNotEqualTo(generate("--model", model));
        assertThat(generate("--model", merged)).isEqualTo(text);
    }
}
