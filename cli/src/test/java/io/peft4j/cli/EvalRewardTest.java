package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code eval --reward} on the embedded model. */
final class EvalRewardTest {

    private static final Path MODEL = TestData.path("embedded/model");
    private static final Path PROMPTS = TestData.path("embedded/sums_heldout.jsonl");

    private static CommandRun run(Object... more) {
        List<Object> args = new ArrayList<>(List.of("eval", "--model", MODEL, "--data", PROMPTS));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    @Test
    void theRewardIsTheWeightedSumOfTheMeansOfItsJudges() {
        CommandRun run =
                run(
                        "--reward",
                        "regex:[0-9]=0.5",
                        "--reward",
                        "final_answer=2",
                        "--max-new-tokens",
                        12,
                        "--temperature",
                        1,
                        "--num-generations",
                        2,
                        "--batch-size",
                        92,
                        "--json",
                        "--per-example");
        assertThat(run.code()).as(run.err()).isZero();
        JsonObject json = run.json();
        assertThat(json.get("answers").getAsInt()).isEqualTo(184);
        JsonObject means = json.getAsJsonObject("rewards");
        double digits = 0;
        double total = 0;
        for (JsonElement row : json.getAsJsonArray("examples")) {
            JsonObject answer = row.getAsJsonObject();
            boolean hasDigit = answer.get("completion").getAsString().matches("(?s).*[0-9].*");
            digits += hasDigit ? 1 : 0;
            total += answer.get("reward").getAsDouble();
            double without = answer.get("reward").getAsDouble() - (hasDigit ? 0.5 : 0);
            assertThat(without).isIn(0.0, 2.0);
        }
        assertThat(digits).isBetween(1.0, 184.0);
        assertThat(means.get("regex").getAsDouble()).isEqualTo(digits / 184);
        assertThat(json.get("reward").getAsDouble())
                .isCloseTo(total / 184, offset(1e-12))
                .isCloseTo(
                        0.5 * digits / 184 + 2 * means.get("final_answer").getAsDouble(),
                        offset(1e-12));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--num-generations 2", "--temperature 1", "--top-k 4"})
    void flagsOfAnswersNeedAReward(String flag) {
        CommandRun run = run((Object[]) flag.split(" "));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).isEqualTo("peft4j: " + flag.split(" ")[0] + " needs --reward\n");
    }

    @Test
    void severalAnswersNeedChance() {
        CommandRun run = run("--reward", "final_answer", "--num-generations", 2);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--num-generations 2 needs a --temperature above 0");
    }
}
