package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code rejection-sample} on the small OpenELM. */
final class RejectionSampleCommandTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;
    private Path data;
    private Path output;

    @BeforeEach
    void writePrompts() throws IOException {
        data = directory.resolve("prompts.jsonl");
        output = directory.resolve("sft.jsonl");
        StringBuilder rows = new StringBuilder();
        for (String prompt : List.of("2+2=", "The sky is", "Up or down? ")) {
            JsonObject row = new JsonObject();
            row.addProperty("prompt", prompt);
            row.addProperty("answer", "a");
            rows.append(row).append('\n');
        }
        Files.writeString(data, rows);
    }

    private CommandRun run(Object... more) {
        List<Object> args = new ArrayList<>(List.of("rejection-sample", "--model", MODEL));
        args.addAll(List.of("--tokenizer", TOKENIZER, "--data", data, "--output", output));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    @Test
    void itsRowsAreReadByTrain() throws IOException {
        CommandRun run =
                run(
                        "--adapter",
                        GoldenRows.adapter("lora"),
                        "--num-generations",
                        4,
                        "--max-new-tokens",
                        6,
                        "--keep-unfinished",
                        "--reward",
                        "regex:^.{3,}=0.5",
                        "--reward",
                        "overlong:5,2",
                        "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("rejection-sample: prompt 3/3  left 0:00");
        JsonObject json = run.json();
        assertThat(json.get("prompts").getAsInt()).isEqualTo(3);
        assertThat(json.get("samples").getAsInt()).isEqualTo(12);
        assertThat(json.get("accepted").getAsInt()).isEqualTo(3);
        JsonObject judges = json.getAsJsonObject("rewards");
        assertThat(judges.keySet()).containsExactly("regex", "overlong");
        assertThat(judges.getAsJsonObject("regex").get("weight").getAsDouble()).isEqualTo(0.5);
        assertThat(judges.getAsJsonObject("overlong").get("mean").getAsDouble()).isEqualTo(-1);
        List<String> rows = Files.readAllLines(output);
        assertThat(rows).hasSize(3);
        JsonObject first = JsonParser.parseString(rows.get(0)).getAsJsonObject();
        assertThat(first.get("prompt").getAsString()).isEqualTo("2+2=");
        assertThat(first.get("reward").getAsDouble()).isIn(-0.5, -1.0);
        CommandRun train =
                CommandRun.of(
                        "train",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--data",
                        output,
                        "--rank",
                        2,
                        "--max-steps",
                        1,
                        "--output",
                        directory.resolve("adapter"));
        assertThat(train.code()).as(train.err()).isZero();
        assertThat(train.err()).doesNotContain("have no label");
    }

    @Test
    void aTableIsForPeopleAndAResumedRunTellsItAgain() throws IOException {
        Object[] flags = {
            "--num-generations",
            2,
            "--max-new-tokens",
            3,
            "--keep",
            "all",
            "--threshold",
            -0.5,
            "--keep-unfinished",
            "--reward",
            "exact_match"
        };
        CommandRun run = run(flags);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out().lines().toList().get(0))
                .matches("reward +weight +mean +best of a prompt");
        assertThat(run.out()).contains("\nexact_match  1.0000  ", "wrote " + output + "\n");
        byte[] rows = Files.readAllBytes(output);
        List<Object> again = new ArrayList<>(List.of(flags));
        again.add("--resume");
        CommandRun resumed = run(again.toArray());
        assertThat(resumed.code()).as(resumed.err()).isZero();
        assertThat(resumed.out()).isEqualTo(run.out());
        assertThat(output).hasBinaryContent(rows);
        again.set(1, 3);
        CommandRun other = run(again.toArray());
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("num_generations was 2, now it is 3");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aRewardModelJudgesBesideAnAdapterOrWithout(boolean withAdapter) throws IOException {
        Path judge = GoldenRewardModel.in(directory);
        List<Object> flags = new ArrayList<>(List.of("--num-generations", 3));
        flags.addAll(List.of("--max-new-tokens", 4, "--keep", "all", "--threshold", -1000));
        flags.addAll(List.of("--keep-unfinished", "--reward-adapter", judge + "=-2", "--json"));
        if (withAdapter) {
            flags.addAll(List.of("--adapter", GoldenRows.adapter("lora")));
        }
        CommandRun run = run(flags.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        JsonObject judged = run.json().getAsJsonObject("rewards").getAsJsonObject("reward_model");
        assertThat(judged.get("weight").getAsDouble()).isEqualTo(-2);
        assertThat(-2 * judged.get("mean").getAsDouble())
                .isCloseTo(run.json().get("mean_reward").getAsDouble(), within(1e-9));
        assertThat(Files.readAllLines(output))
                .hasSizeGreaterThan(3)
                .extracting(line -> JsonParser.parseString(line).getAsJsonObject().get("reward"))
                .doesNotHaveDuplicates();
    }

    @Test
    void keepingNothingIsSaid() {
        CommandRun run =
                run("--num-generations", 1, "--max-new-tokens", 2, "--reward", "exact_match");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("warning: no answer was kept: all were cut");
        assertThat(output).isEmptyFile();
    }

    @Test
    void aRowWithoutAnAnswerIsRefusedBeforeSampling() throws IOException {
        Files.writeString(data, "{\"prompt\": \"2+2=\"}\n");
        CommandRun run = run("--max-new-tokens", 2, "--reward", "final_answer");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err().lines().toList())
                .last()
                .asString()
                .startsWith("peft4j: expected \"answer\" or \"completion\" with the right answer");
        assertThat(directory.toFile().list()).containsExactly("prompts.jsonl");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --seed 1                              | Missing required option: '--reward=NAME[=WEIGHT]'
                    --reward exact_match --keep all       | --keep all needs --threshold
                    --reward exact_match --keep some      | --keep must be best or all, but is "some"
                    --reward exact_match --threshold NaN  | --threshold must be a finite number
                    --reward exact_match --temperature 0  | --num-generations 8 needs a --temperature above 0
                    --reward exact_match --num-generations 0 | --num-generations must be at least 1
                    --reward nothing                      | --reward: expected one of final_answer
                    --reward exact_match --adapter x/y/z  | --adapter
                    --reward-adapter x/y=2                | --reward-adapter: no such directory: x/y
                    """)
    void aWrongRequestIsRefusedInOneLine(String flags, String message) {
        CommandRun run = run((Object[]) flags.split(" ", -1));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("peft4j: ").contains(message);
        assertThat(run.err().lines()).hasSize(1);
    }

    @Test
    void aFileIsNeverWrittenOver() throws IOException {
        Files.writeString(output, "mine");
        CommandRun run = run("--reward", "exact_match");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("sft.jsonl exists already; --resume goes on with a run");
        assertThat(output).hasContent("mine");
    }
}
