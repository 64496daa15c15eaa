package io.peft4j.cli;

import static io.peft4j.cli.GoldenRows.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many prompts, conversations and stop strings, and the loss on answers only. */
final class ChatCommandsTest {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");

    @TempDir private Path directory;

    private Path write(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content);
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

    @Test
    void generateTakesManyPromptsAndConversations() throws Exception {
        Path prompts =
                write(
                        "prompts.jsonl",
                        "{\"prompt\": \"Hello\"}\n\n"
                                + "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}\n"
                                + "{\"prompt\": \"a longer prompt\"}\n");
        List<Object> flags =
                List.of(
                        "generate",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--max-new-tokens",
                        "6");
        List<JsonObject> rows =
                run(with(flags, "--prompts", prompts, "--batch-size", 2, "--json"))
                        .out()
                        .lines()
                        .map(line -> JsonParser.parseString(line).getAsJsonObject())
                        .toList();
        assertThat(rows).hasSize(3);
        JsonObject hello = run(with(flags, "--prompt", "Hello", "--json")).json();
        JsonObject hi = run(with(flags, "--prompt", "Hi", "--chat", "--json")).json();
        assertThat(rows.get(0)).isEqualTo(hello);
        assertThat(rows.get(1).get("ids")).isEqualTo(hi.get("ids"));
        assertThat(rows.get(1).get("prompt_tokens")).isEqualTo(hi.get("prompt_tokens"));
        assertThat(rows.get(1).getAsJsonArray("messages")).hasSize(1);
        assertThat(run(with(flags, "--prompts", prompts)).out())
                .startsWith("[1]\n" + hello.get("text").getAsString() + "\n[2]\n");
    }

    @Test
    void generateEndsBeforeAStopString() {
        List<Object> flags =
                List.of(
                        "generate",
                        "--model",
                        MODEL,
                        "--tokenizer",
                        TOKENIZER,
                        "--prompt",
                        "Hello",
                        "--max-new-tokens",
                        "8",
                        "--json");
        JsonObject whole = run(flags.toArray()).json();
        assertThat(whole.get("end").getAsString()).isEqualTo("length");
        String text = whole.get("text").getAsString();
        int middle = text.offsetByCodePoints(0, 1);
        String stop = text.substring(middle, text.offsetByCodePoints(middle, 1));
        JsonObject stopped = run(with(flags, "--stop", stop)).json();
        assertThat(stopped.get("end").getAsString()).isEqualTo("stop");
        assertThat(stopped.get("text").getAsString())
                .isEqualTo(text.substring(0, text.indexOf(stop)));
    }

    @Test
    void generateRefusesFlagsThatContradict() throws Exception {
        Path prompts = write("prompts.jsonl", "{\"prompt\": 3}");
        List<Object> flags = List.of("generate", "--model", MODEL, "--tokenizer", TOKENIZER);
        assertThat(CommandRun.of(flags.toArray()).err()).contains("give --prompt or --prompts");
        assertThat(CommandRun.of(with(flags, "--prompt", "a", "--prompts", prompts)).err())
                .contains("not both");
        assertThat(CommandRun.of(with(flags, "--prompts", prompts)).err())
                .contains("prompts.jsonl:1: expected {\"prompt\"");
        assertThat(CommandRun.of(with(flags, "--prompt", "a", "--min-p", "2")).err())
                .contains("--min-p must be from 0 to 1");
        assertThat(CommandRun.of(with(flags, "--prompt", "a", "--repetition-penalty", "0")).err())
                .contains("--repetition-penalty must be a number above 0");
    }

    @Test
    void theLossCanBeOnAnswersOnly() throws IOException {
        Path talks =
                write(
                        "talks.jsonl",
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"},"
                                + "{\"role\": \"assistant\", \"content\": \"Ho\"}]}\n");
        List<Object> flags = List.of("eval", "--model", MODEL, "--tokenizer", TOKENIZER, "--json");
        int all = run(with(flags, "--data", talks)).json().get("tokens").getAsInt();
        int answers =
                run(with(flags, "--data", talks, "--assistant-only-loss"))
                        .json()
                        .get("tokens")
                        .getAsInt();
        assertThat(answers).isBetween(2, all - 4);
        Path texts = write("texts.jsonl", "{\"text\": \"no conversation\"}\n");
        CommandRun refused = CommandRun.of(with(flags, "--data", texts, "--assistant-only-loss"));
        assertThat(refused.code()).isNotZero();
        assertThat(refused.err()).contains("texts.jsonl:1: expected a conversation");
    }
}
