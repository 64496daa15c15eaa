package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Rows against what TRL's SFTTrainer made of them. */
class TrlGoldenTest {

    @TempDir Path directory;

    static Stream<Arguments> cases() throws IOException {
        return Stream.of("sft/cases.json", "sft/assistant_cases.json")
                .flatMap(TrlGoldenTest::goldens)
                .map(golden -> Arguments.of(golden.get("name").getAsString(), golden));
    }

    private static Stream<JsonObject> goldens(String file) {
        try {
            return GoldenJson.cases(file).stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private SftDataset read(JsonObject golden) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (JsonElement row : golden.getAsJsonArray("rows")) {
            lines.append(row).append('\n');
        }
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(file, lines);
        boolean assistant = golden.has("tokenizer");
        String name = assistant ? golden.get("tokenizer").getAsString() : "golden/tokenizer";
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path(name))) {
            return SftDataset.read(
                    file,
                    tokenizer,
                    DatasetOptions.training(1024, golden.get("max_length").getAsInt())
                            .withAssistantOnlyLoss(assistant));
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void idsAndLabelsAreTrls(String name, JsonObject golden) throws IOException {
        SftDataset dataset = read(golden);
        JsonArray expected = golden.getAsJsonArray("expected");
        assertThat(dataset.examples()).hasSize(expected.size());
        for (int i = 0; i < expected.size(); i++) {
            JsonObject row = expected.get(i).getAsJsonObject();
            Example example = dataset.examples().get(i);
            assertThat(example.ids()).containsExactly(GoldenJson.longs(row.get("ids")));
            assertThat(example.labels()).containsExactly(GoldenJson.longs(row.get("labels")));
        }
        assertThat(dataset.mismatchedPrompts())
                .isEqualTo(name.equals("prompt_of_another_tokenisation") ? 1 : 0);
        if (name.endsWith("_truncated")) {
            assertThat(dataset.truncatedRows()).isPositive();
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    {"text":1}                                   | expected "text" to be a string, found 1
                    {"prompt":"a","completion":[]}               | expected "completion" to be a string
                    {"prompt":[{"role":"user","content":"a"}],"completion":"b"} | expected "completion" to be a list of messages
                    {"messages":[]}                              | expected one message at least in "messages"
                    {"messages":["a"]}                           | expected "messages" to be a list of messages, found "a"
                    {"messages":[{"role":"user"}]}               | expected "content" to be a string, found nothing
                    {"messages":[{"role":"a","content":"b","tool_calls":[]}]} | tool calls in messages are not supported
                    {"text":"a","tools":[]}                      | expected no "tools"
                    """)
    void aRowOfTextThatCannotBeUsedIsRefusedWithFileAndLine(String row, String message)
            throws IOException {
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(file, "{\"text\":\"a\"}\n" + row + "\n");
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"))) {
            assertThatThrownBy(
                            () -> SftDataset.read(file, tokenizer, DatasetOptions.training(264, 8)))
                    .isInstanceOf(DatasetException.class)
                    .hasMessageContaining("rows.jsonl:2: ")
                    .hasMessageContaining(message);
        }
    }

    @Test
    void aTokenizerWithoutTemplateOrEndRefusesTheRowAndSaysWhichItLacks() throws IOException {
        Files.copy(
                TestData.path("golden/tokenizer/tokenizer.json"),
                directory.resolve("tokenizer.json"));
        Path file = directory.resolve("rows.jsonl");
        try (Tokenizer tokenizer = Tokenizer.load(directory)) {
            Files.writeString(file, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
            assertThatThrownBy(
                            () -> SftDataset.read(file, tokenizer, DatasetOptions.training(264, 8)))
                    .isInstanceOf(DatasetException.class)
                    .hasMessageContaining("rows.jsonl:1: ")
                    .hasMessageContaining("chat_template");
            Files.writeString(file, "{\"text\":\"a\"}");
            assertThatThrownBy(
                            () -> SftDataset.read(file, tokenizer, DatasetOptions.training(264, 8)))
                    .isInstanceOf(DatasetException.class)
                    .hasMessageContaining("rows.jsonl:1: ")
                    .hasMessageContaining("eos_token");
        }
    }
}
