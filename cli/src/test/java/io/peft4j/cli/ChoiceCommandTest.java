package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code eval --task}, against what lm-evaluation-harness found. */
final class ChoiceCommandTest {

    private static final Path MODEL = TestData.path("golden/llama3/model");
    private static final Path TOKENIZER = TestData.path("golden/tokenizer/tokenizer.json");

    private static CommandRun eval(String task, Object... more) {
        Object[] args = {
            "eval",
            "--task",
            task,
            "--data",
            TestData.path("choice/" + task + ".jsonl"),
            "--model",
            MODEL,
            "--tokenizer",
            TOKENIZER
        };
        Object[] all = new Object[args.length + more.length];
        System.arraycopy(args, 0, all, 0, args.length);
        System.arraycopy(more, 0, all, args.length, more.length);
        return CommandRun.of(all);
    }

    private static JsonObject golden(String task, String model) throws IOException {
        return JsonParser.parseString(Files.readString(TestData.path("choice/cases.json")))
                .getAsJsonObject()
                .getAsJsonObject(task)
                .getAsJsonObject("models")
                .getAsJsonObject(model);
    }

    @ParameterizedTest
    @ValueSource(strings = {"piqa", "mmlu"})
    void jsonHasTheHarnessMetricsOfAnAdapter(String task) throws IOException {
        CommandRun run = eval(task, "--adapter", TestData.path("golden/llama3/dora"), "--json");
        assertThat(run.code()).as(run.err()).isZero();
        JsonObject golden = golden(task, "llama3/dora");
        for (String metric : new String[] {"acc", "acc_stderr", "acc_norm", "acc_norm_stderr"}) {
            assertThat(run.json().get(metric).getAsDouble())
                    .as(metric)
                    .isCloseTo(golden.get(metric).getAsDouble(), within(1e-12));
        }
        assertThat(run.json().get("num_fewshot").getAsInt()).isZero();
    }

    @Test
    void thePageShowsWhatTheCommandPrints() throws IOException {
        CommandRun run =
                CommandRun.of(
                        "eval",
                        "--task",
                        "piqa",
                        "--data",
                        TestData.path("choice/piqa.jsonl"),
                        "--model",
                        TestData.path("embedded/model"));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Files.readString(Path.of("..", "docs", "evaluation.md")))
                .contains("```\n" + run.out() + "```\n");
    }

    @Test
    void mmluIsToldBySubjectAndWhatWasCutIsSaid() {
        CommandRun run = eval("mmlu");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out().lines())
                .hasSize(5)
                .first()
                .asString()
                .isEqualTo("task               questions     acc  stderr  acc_norm  stderr");
        assertThat(run.out())
                .containsPattern("(?m)^abstract_algebra +3 +[01]\\.\\d{4} ")
                .containsPattern("(?m)^mmlu +9 +0\\.1111 ");
        assertThat(run.err())
                .contains("36 choices with their question exceed the context of 128 tokens");
    }

    @Test
    void theFirstQuestionsAloneAreTakenAndToldOneByOne() {
        CommandRun run = eval("piqa", "--limit", 1, "--json", "--per-example");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("questions").getAsInt()).isEqualTo(1);
        assertThat(run.json().get("acc_stderr").isJsonNull()).isTrue();
        JsonObject row = run.json().getAsJsonArray("examples").get(0).getAsJsonObject();
        assertThat(row.getAsJsonArray("log_likelihoods")).hasSize(2);
        CommandRun text = eval("piqa", "--limit", 2, "--per-example");
        assertThat(text.out()).containsPattern("(?m)^     2  answer 0  chosen [01] ");
    }

    @Test
    void rowsOfAnotherTaskAreRefusedInOneLine() {
        CommandRun run =
                CommandRun.of(
                        "eval",
                        "--task",
                        "boolq",
                        "--data",
                        TestData.path("choice/piqa.jsonl"),
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("piqa.jsonl:1: expected \"passage\" to be a string")
                .hasLineCount(1);
    }
}
