package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.Provenance;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code ppo --algorithm grpo} and {@code rloo} on the small OpenELM. */
final class PpoCommandTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;
    private Path data;

    @BeforeEach
    void writePrompts() throws IOException {
        data = directory.resolve("prompts.jsonl");
        Files.write(
                data,
                List.of(
                        "{\"prompt\": \"2+2=\", \"answer\": \"4\"}",
                        "{\"prompt\": \"The sky is\"}",
                        "{\"prompt\": \"a b c\"}",
                        "{\"prompt\": \"One, two, three and many, many words more\"}"));
    }

    private CommandRun run(Path output, Object... more) {
        List<Object> args =
                new ArrayList<>(
                        List.of("ppo", "--model", MODEL, "--tokenizer", TOKENIZER, "--data", data));
        args.addAll(List.of("--output", output, "--rank", 4, "--batch-size", 2));
        args.addAll(List.of("--max-new-tokens", 4));
        args.addAll(List.of("--learning-rate", "5e-3"));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    private static JsonObject line(Path output, int index) throws IOException {
        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        return JsonParser.parseString(lines.get(index < 0 ? lines.size() + index : index))
                .getAsJsonObject();
    }

    @ParameterizedTest
    @CsvSource({"grpo,lora,4", "rloo,dora,2"})
    void trainsAnAdapterOnRewards(String algorithm, String method, int answers) throws IOException {
        Path output = directory.resolve("out");
        List<Object> flags =
                new ArrayList<>(List.of("--algorithm", algorithm, "--method", method, "--json"));
        flags.addAll(List.of("--max-length", 20));
        flags.addAll(List.of("--reward", "regex:[a-z]", "--reward", "overlong:4,2=0.5"));
        flags.addAll(List.of("--eval-data", data, "--max-steps", 3, "--num-generations", answers));
        CommandRun run = run(output, flags.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("steps").getAsInt()).isEqualTo(3);
        assertThat(run.err())
                .contains("1 prompts are left out: they have more than 20 tokens")
                .contains(algorithm + ": step 3/3");
        assertThat(line(output, 0).keySet())
                .contains("reward", "reward_std", "rewards/regex/mean", "completions/max_length");
        JsonObject held = line(output, -1);
        assertThat(held.get("eval_reward").getAsDouble())
                .isCloseTo(-held.get("eval_loss").getAsDouble(), within(1e-12));
        assertThat(run.json().get("eval_loss")).isEqualTo(held.get("eval_loss"));
        assertThat(run.json().get("eval_reward").getAsDouble())
                .isCloseTo(held.get("eval_reward").getAsDouble(), within(1e-12));
        assertThat(run.err())
                .contains(
                        String.format(
                                Locale.ROOT,
                                "step 3/3  held-out reward %.4f",
                                held.get("eval_reward").getAsDouble()))
                .doesNotContain("held-out loss");
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.held_out_reward"))
                .contains(run.json().get("eval_reward").getAsString());
        assertThat(provenance.get("training.held_out_loss")).isEmpty();
        assertThat(provenance.get("training.kind")).contains(algorithm);
        assertThat(provenance.get("training.num_generations")).contains(String.valueOf(answers));
        assertThat(provenance.get("training.data_file")).contains("prompts.jsonl");
    }

    @Test
    void aFinishedRunThatIsResumedGivesTheSameAgain() throws IOException {
        Path output = directory.resolve("out");
        List<Object> flags = new ArrayList<>(List.of("--algorithm", "grpo", "--beta", "0.1"));
        flags.addAll(List.of("--reward", "regex:[a-z]", "--max-steps", 3, "--save-steps", 2));
        assertThat(run(output, flags.toArray()).code()).isZero();
        byte[] first = Files.readAllBytes(output.resolve("adapter_model.safetensors"));
        Files.delete(output.resolve("adapter_model.safetensors"));
        flags.add("--resume");
        CommandRun run = run(output, flags.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("grpo: goes on after step 3");
        assertThat(Files.readAllBytes(output.resolve("adapter_model.safetensors")))
                .isEqualTo(first);
    }

    @Test
    void dryRunForetellsTheMemoryOfAllAnswers() {
        CommandRun run =
                run(
                        directory.resolve("out"),
                        "--algorithm",
                        "grpo",
                        "--reward",
                        "regex:[a-z]",
                        "--num-generations",
                        3,
                        "--dry-run",
                        "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("batch_size").getAsInt()).isEqualTo(6);
        assertThat(run.json().get("peak_bytes").getAsLong()).isPositive();
        assertThat(directory.resolve("out")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--algorithm sarsa|--algorithm must be ppo, grpo or rloo, but is \"sarsa\"",
                "--algorithm grpo --num-generations 1|expected two answers to a prompt at least",
                "--algorithm grpo --temperature 0|--algorithm grpo needs a --temperature above 0",
                "--algorithm rloo --loss-type dapo|--loss-type needs --algorithm grpo",
                "--algorithm grpo --normalize-advantages|needs --algorithm rloo",
                "--algorithm grpo --loss-type ppo|dr_grpo, dapo, found \"ppo\"",
                "--algorithm grpo --scale-rewards all|group, batch, none, found \"all\"",
                "--algorithm grpo --importance-sampling-level word|token or sequence",
                "--algorithm rloo --reward-clip-range 1|must be two numbers with a comma",
                "--algorithm grpo --sync-ref-model|needs a beta above 0",
                "--algorithm grpo --ref-model-sync-steps 5|needs --sync-ref-model",
                "--algorithm grpo --max-length 2|--max-length: all prompts of",
                "--algorithm grpo --method full|--method must be lora or dora for ppo",
                "--algorithm grpo --load-best|--load-best needs --eval-data"
            })
    void whatCannotBeIsRefused(String flagsAndError) {
        String[] parts = flagsAndError.split("\\|", 2);
        List<Object> flags = new ArrayList<>(List.of("--reward", "regex:[a-z]"));
        flags.addAll(List.of((Object[]) parts[0].split(" ")));
        CommandRun run = run(directory.resolve("out"), flags.toArray());
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(parts[1]);
        assertThat(directory.resolve("out/adapter_model.safetensors")).doesNotExist();
    }
}
