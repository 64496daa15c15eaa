package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.Provenance;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code ppo --algorithm ppo} on the small OpenELM. */
final class PpoAlgorithmTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");
    private static final Path DATA = TestData.path("dpo/rows.jsonl");

    @TempDir private Path directory;

    private static CommandRun run(Path output, Object... more) {
        List<Object> args =
                new ArrayList<>(
                        List.of("ppo", "--model", MODEL, "--tokenizer", TOKENIZER, "--data", DATA));
        args.addAll(List.of("--output", output, "--rank", 4, "--batch-size", 4));
        args.addAll(List.of("--max-new-tokens", 6, "--learning-rate", "5e-3"));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    private static JsonObject line(Path output, int index) throws IOException {
        List<String> lines = Files.readAllLines(output.resolve("metrics.jsonl"));
        return JsonParser.parseString(lines.get(index < 0 ? lines.size() + index : index))
                .getAsJsonObject();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void trainsAPolicyAndAValueFunction(String method) throws IOException {
        Path output = directory.resolve("out");
        CommandRun run =
                run(
                        output,
                        "--method",
                        method,
                        "--reward",
                        "regex:[a-z]",
                        "--eval-data",
                        DATA,
                        "--num-ppo-epochs",
                        2,
                        "--num-mini-batches",
                        2,
                        "--max-steps",
                        2,
                        "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("steps").getAsInt()).isEqualTo(2);
        assertThat(run.err()).contains("ppo: the reference is the base model: the adapter is new");
        JsonObject first = line(output, 0);
        assertThat(first.keySet())
                .contains(
                        "objective/kl",
                        "objective/entropy",
                        "objective/non_score_reward",
                        "objective/rlhf_reward",
                        "objective/scores",
                        "policy/approxkl_avg",
                        "policy/clipfrac_avg",
                        "policy/entropy_avg",
                        "loss/policy_avg",
                        "loss/value_avg",
                        "val/clipfrac_avg",
                        "val/ratio",
                        "val/ratio_var",
                        "val/num_eos_tokens",
                        "rewards/regex/mean");
        assertThat(line(output, -1).get("eval_reward").getAsDouble())
                .isEqualTo(-run.json().get("eval_loss").getAsDouble());
        assertThat(output.resolve("value/adapter_model.safetensors")).exists();
        Provenance provenance = Provenance.read(output).orElseThrow();
        assertThat(provenance.get("training.kind")).contains("ppo");
        assertThat(provenance.get("training.temperature")).contains("0.7");
        assertThat(Provenance.read(output.resolve("value")).orElseThrow().get("training.kind"))
                .contains("ppo");
    }

    @Test
    void trainsIa3Too() throws IOException {
        Path output = directory.resolve("out");
        CommandRun run =
                CommandRun.of(
                        "ppo",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--data",
                        DATA,
                        "--method",
                        "ia3",
                        "--reward",
                        "regex:[a-z]",
                        "--max-new-tokens",
                        6,
                        "--batch-size",
                        2,
                        "--max-steps",
                        1,
                        "--output",
                        output);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(output.resolve("value/adapter_model.safetensors")).exists();
        assertThat(line(output, 0).get("loss/value_avg").getAsDouble()).isPositive();
    }

    @Test
    void aRewardModelJudgesAndTheValueFunctionBeginsAsIt() throws IOException {
        Path first = directory.resolve("first");
        CommandRun trained = run(first, "--reward", "regex:[a-z]", "--max-steps", 1);
        assertThat(trained.code()).as(trained.err()).isZero();
        Path output = directory.resolve("out");
        CommandRun run =
                run(
                        output,
                        "--reward-adapter",
                        first.resolve("value"),
                        "--max-steps",
                        1,
                        "--vf-coef",
                        0);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(line(output, 0).has("rewards/reward_model/mean")).isTrue();
        assertThat(Provenance.read(output).orElseThrow().get("training.rewards").orElseThrow())
                .matches("reward_model\\*1.0 [0-9a-f]{64}");
        // a value loss that counts nothing leaves the copy as it is, for there is no weight decay
        assertThat(Files.readAllBytes(output.resolve("value/adapter_model.safetensors")))
                .isEqualTo(Files.readAllBytes(first.resolve("value/adapter_model.safetensors")));
    }

    @Test
    void aFinishedRunThatIsResumedGivesTheSameAgain() throws IOException {
        Path output = directory.resolve("out");
        Object[] flags = {"--reward", "regex:[a-z]", "--max-steps", 2, "--save-steps", 1};
        assertThat(run(output, flags).code()).isZero();
        byte[] first = Files.readAllBytes(output.resolve("value/adapter_model.safetensors"));
        Files.delete(output.resolve("value/adapter_model.safetensors"));
        List<Object> again = new ArrayList<>(List.of(flags));
        again.add("--resume");
        CommandRun run = run(output, again.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Files.readAllBytes(output.resolve("value/adapter_model.safetensors")))
                .isEqualTo(first);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --kl-in-loss                      | expected the estimator k3
                    --kl-estimator k2                 | expected the estimator k1 or k3, found "k2"
                    --gamma 2                         | expected a gamma from 0 to 1, found 2.0
                    --cliprange 0                     | expected a cliprange above 0
                    --num-ppo-epochs 0                | expected a num_ppo_epochs of 1 at least
                    --missing-eos-penalty -1          | expected a missing_eos_penalty of 0 at least
                    --temperature 0                   | needs a --temperature above 0
                    --num-generations 4               | --num-generations needs --algorithm grpo or rloo
                    --algorithm grpo --lam 0.9        | --lam needs --algorithm ppo
                    """)
    void aWrongRequestIsRefusedInOneLine(String flags, String message) {
        List<Object> all = new ArrayList<>(List.of("--reward", "regex:[a-z]"));
        all.addAll(List.of(flags.split(" ", -1)));
        CommandRun run = run(directory.resolve("out"), all.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void aPolicyIsNoRewardModel() {
        CommandRun run =
                run(directory.resolve("out"), "--reward-adapter", GoldenRows.adapter("lora"));
        assertThat(run.code()).isEqualTo(2); // settings that do not fit, as everywhere
        assertThat(run.err()).contains("expected a reward model, with \"score\"");
    }
}
