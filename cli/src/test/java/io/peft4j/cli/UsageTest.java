package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

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

/** Wrong requests: exit code 2, one line on stderr, nothing on stdout. */
final class UsageTest {

    private static final Path MODEL = TestData.path("golden/openelm/model");

    @TempDir private Path directory;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --rank 0                 | --rank must be from 1 to 4096, but is 0
                    --rank two               | Invalid value for option '--rank': 'two' is not an int
                    --dropout 1              | --dropout must be at least 0 and below 1, but is 1.0
                    --dropout NaN            | --dropout must be at least 0 and below 1, but is NaN
                    --alpha Infinity         | --alpha must be a finite number, but is Infinity
                    --method foo             | --method must be of lora, dora, ia3, full, but is "foo"
                    --init best              | --init must be default, gaussian, orthogonal, pissa or olora, but is "best"
                    --target-modules a,,b    | --target-modules: target modules "a,,b": a name between the commas is empty
                    --target-modules re:(    | --target-modules: expected a regular expression
                    --learning-rate -1       | --learning-rate must be a number from 0 up, but is -1.0
                    --batch-size 0           | --batch-size must be at least 1, but is 0
                    --gradient-accumulation 0| --gradient-accumulation must be at least 1, but is 0
                    --max-steps -5           | --max-steps must be at least 1, but is -5
                    --epochs 0               | --epochs must be a number above 0, but is 0.0
                    --warmup-steps -1        | --warmup-steps must be at least 0, but is -1
                    --warmup-start 1e-6      | --warmup-start needs --warmup-steps
                    --warmup-steps 2 --warmup-start NaN | --warmup-start must be a number from 0 up, but is NaN
                    --learning-rate 1e-4 --min-learning-rate 1e-3 | must be at most --learning-rate, but are 0.0 and 0.001
                    --min-learning-rate -1   | --min-learning-rate must be a number from 0 up, but is -1.0
                    --scheduler constant --min-learning-rate 1e-5 | --min-learning-rate needs a --scheduler that comes down
                    --adam-beta1 1           | --adam-beta1 must be at least 0 and below 1, but is 1.0
                    --adam-beta2 -1          | --adam-beta2 must be at least 0 and below 1, but is -1.0
                    --adam-epsilon NaN       | --adam-epsilon must be a number from 0 up, but is NaN
                    --scheduler step         | --scheduler must be constant, linear or cosine, but is "step"
                    --weight-decay -0.1      | --weight-decay must be a number from 0 up, but is -0.1
                    --loraplus-ratio 0       | --loraplus-ratio must be a number above 0, but is 0.0
                    --loraplus-lr-embedding 1| --loraplus-lr-embedding needs --loraplus-ratio
                    --loraplus-ratio 2 --loraplus-lr-embedding -1 | --loraplus-lr-embedding must be a number from 0 up, but is -1.0
                    --loraplus-ratio 2 --learning-rate 0 | --loraplus-ratio needs a --learning-rate above 0
                    --method full --loraplus-ratio 2 | --loraplus-ratio cannot be given: --method full
                    --max-grad-norm -1       | --max-grad-norm must be a number from 0 up, but is -1.0
                    --max-length 1           | --max-length must be at least 2, but is 1
                    --gradient-checkpointing yes | --gradient-checkpointing must be auto, on or off, but is "yes"
                    --eval-steps 0           | --eval-steps must be at least 1, but is 0
                    --save-steps 0           | --save-steps must be at least 1, but is 0
                    --dtype float64          | --dtype must be float32, bfloat16, float16 or auto, but is "float64"
                    --method full --dtype bfloat16 | --dtype bfloat16 cannot be given: --method full trains the weights
                    --device tpu             | --device must be cpu, gpu or gpuN such as gpu1, but is "tpu"
                    --device gpu             | --device gpu:
                    --tokenizer /nowhere     | --tokenizer: no such file or directory: /nowhere
                    --init-adapter /nowhere  | --init-adapter: no such directory: /nowhere
                    --eval-data /nowhere     | --eval-data: no such file: /nowhere
                    --lerning-rate 1         | nearest: --learning-rate
                    --method full --rank 4   | --rank cannot be given: --method full
                    --method full --init-adapter . | --init-adapter cannot be given: --method full
                    --method full --alpha 4  | --alpha cannot be given: --method full
                    --method ia3 --rank 4    | --rank cannot be given: --method ia3 has no low-rank pair
                    --method ia3 --init olora| --init cannot be given: --method ia3 has no low-rank pair
                    --method ia3 --loraplus-ratio 2 | --loraplus-ratio cannot be given: --method ia3
                    --method ia3 --dry-run   | --dry-run foretells lora, dora and full, but not ia3
                    """)
    void aWrongTrainingFlagIsNamedWithWhatItTakes(String flags, String message) throws Exception {
        List<Object> args =
                new ArrayList<>(
                        List.of("train", "--model", MODEL, "--data", data(), "--output", "x"));
        args.addAll(List.of(flags.split(" ")));
        assertRefused(CommandRun.of(args.toArray()), message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --task glue              | --task: expected a task of boolq, piqa, social_iqa
                    --limit 3                | --limit needs --task
                    --task piqa --limit 0    | --limit must be at least 1, but is 0
                    --task piqa --assistant-only-loss | --assistant-only-loss cannot be given with --task
                    """)
    void aWrongTaskIsRefused(String flags, String message) throws Exception {
        List<Object> args = new ArrayList<>(List.of("eval", "--model", MODEL, "--data", data()));
        args.addAll(List.of(flags.split(" ")));
        assertRefused(CommandRun.of(args.toArray()), message);
    }

    @Test
    void noCommandIsRefusedWithTheCommands() {
        assertRefused(
                CommandRun.of(),
                "say what to do: train, dpo, reward, ppo, rejection-sample, eval, generate, merge");
    }

    @Test
    void aMistypedCommandIsAnsweredWithTheNearest() {
        assertRefused(CommandRun.of("evl"), "nearest: eval");
    }

    @Test
    void aMissingModelDirectoryIsNamed() throws Exception {
        assertRefused(
                CommandRun.of("eval", "--model", "/nowhere", "--data", data()),
                "--model: no such directory: /nowhere");
    }

    @Test
    void aFileInPlaceOfAModelDirectoryIsNamed() throws Exception {
        assertRefused(
                CommandRun.of("eval", "--model", data(), "--data", data()),
                "--model: expected a directory, found a file");
    }

    @Test
    void aDirectoryOfNeitherKindIsNotInspected() {
        assertRefused(
                CommandRun.of("inspect", directory), "expected config.json or adapter_config.json");
    }

    @Test
    void anOutputThatHoldsARunIsKept() throws Exception {
        Path output = Files.createDirectory(directory.resolve("run"));
        Files.writeString(output.resolve("adapter_config.json"), "{}");
        assertRefused(
                CommandRun.of("train", "--model", MODEL, "--data", data(), "--output", output),
                "already holds adapter_config.json; --resume");
    }

    @Test
    void mergeWritesIntoNoDirectoryThatHasAnything() throws Exception {
        assertRefused(
                CommandRun.of(
                        "merge",
                        "--model",
                        MODEL,
                        "--adapter",
                        TestData.path("golden/openelm/lora"),
                        "--output",
                        data().getParent()),
                "is not empty");
    }

    @Test
    void verboseAddsTheStackTrace() {
        CommandRun run = CommandRun.of("inspect", directory, "--verbose");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("\tat io.peft4j.cli.InspectCommand");
    }

    @ParameterizedTest
    @ValueSource(strings = {"train", "eval", "generate", "merge", "inspect", "compare"})
    void everyCommandHasHelp(String command) {
        CommandRun run = CommandRun.of(command, "--help");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("Usage: peft4j " + command).contains("--verbose");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void theVersionNamesTheLibraries() {
        CommandRun run = CommandRun.of("--version");
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("peft4j 0.").contains("DJL 0.36.0, PyTorch 2.7.1");
    }

    private Path data() throws Exception {
        Path file = directory.resolve("data.jsonl");
        Files.writeString(file, "{\"input_ids\": [1, 5, 9, 12]}\n");
        return file;
    }

    private static void assertRefused(CommandRun run, String message) {
        assertThat(run.err()).startsWith("peft4j: ").contains(message).endsWith("\n");
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.out()).isEmpty();
        assertThat(run.code()).isEqualTo(2);
    }
}
