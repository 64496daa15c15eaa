package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SftDatasetTest {

    private static final DatasetOptions TRAINING = DatasetOptions.training(100, 8);

    @TempDir Path directory;

    private SftDataset read(String content, DatasetOptions options) throws IOException {
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(file, content);
        return SftDataset.read(file, null, options);
    }

    /** The layout is LLM-Adapters' and CoreNet's, trailing spaces and all. */
    @ParameterizedTest
    @CsvSource({"no input, ''", "an input, 2 and 2"})
    void anInstructionIsTheTextOfItsPromptAndOutput(String name, String input) throws IOException {
        String gap = " ".repeat(16);
        String prompt =
                input.isEmpty()
                        ? "Below is an instruction that describes a task. Write a response that"
                                + " appropriately completes the request.  \n\n"
                                + gap
                                + "### Instruction:\n"
                                + gap
                                + "Add.\n"
                        : "Below is an instruction that describes a task, paired with an input that"
                                + " provides further context. Write a response that appropriately"
                                + " completes the request. \n\n"
                                + gap
                                + "### Instruction:\n"
                                + gap
                                + "Add.\n"
                                + gap
                                + "\n"
                                + gap
                                + "### Input:\n"
                                + gap
                                + input
                                + "\n";
        String text = prompt + gap + "\n" + gap + "### Response:\n" + gap + "4";
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(
                file,
                "{\"instruction\":\"Add.\",\"input\":\""
                        + input
                        + "\",\"output\":\"4\",\"answer\":\"4\"}\n");
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"))) {
            Example example =
                    SftDataset.read(file, tokenizer, DatasetOptions.training(264, 999))
                            .examples()
                            .get(0);
            assertThat(example.ids()).containsExactly(tokenizer.encode(text + "</s>", true));
            assertThat(example.labels()).containsExactly(example.ids());
        }
    }

    @Test
    void blankLinesAndAMissingLastLineBreakAreFine() throws IOException {
        SftDataset dataset = read("{\"input_ids\":[1,2]}\r\n\n  \n{\"input_ids\":[3,4]}", TRAINING);
        assertThat(dataset.examples()).extracting(Example::length).containsExactly(2, 2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    {"input_ids":[1,2]                      | the JSON text ends too early
                    {input_ids:[1,2]}                       | not valid JSON
                    [1,2]                                   | expected a JSON object
                    {"input_ids":[1,2],"input_ids":[1]}     | expected each key once
                    {"question":"a","answer":"b"}           | {"prompt": …, "completion": …}
                    {"prompt":"a"}                          | found the keys [prompt]
                    {"text":"a"}                            | there is no tokenizer
                    {"input_ids":[1,100]}                   | expected a token id from 0 to 99, found 100 at position 1
                    {"input_ids":[-1,1]}                    | found -1 at position 0
                    {"input_ids":[1,2],"labels":[1,-1]}     | expected a label from 0 to 99, or -100, found -1
                    {"input_ids":[1,2],"labels":[1]}        | expected as many labels as input_ids (2), found 1
                    {"input_ids":[1,2],"completion_mask":[1]} | expected as many completion_mask as input_ids (2), found 1
                    {"input_ids":[1,2],"completion_mask":[1,2]} | a list of 0 and 1, found 2
                    {"input_ids":[]}                        | expected one token at least
                    {"input_ids":[1.5]}                     | a list of whole numbers, found 1.5
                    {"input_ids":[99999999999999999999]}    | a list of whole numbers
                    {"input_ids":["1"]}                     | a list of whole numbers, found "1"
                    {"input_ids":"1"}                       | a list of whole numbers, found "1"
                    """,
            quoteCharacter = '\'')
    void aRowThatCannotBeUsedIsRefusedWithFileAndLine(String row, String message) {
        assertThatThrownBy(() -> read("\n{\"input_ids\":[1,2]}\n" + row + "\n", TRAINING))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("rows.jsonl:3: ")
                .hasMessageContaining(message);
    }

    @Test
    void bytesThatAreNoUtf8AreRefused() throws IOException {
        Path file = directory.resolve("latin1.jsonl");
        Files.write(file, "{\"text\":\"ä\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> SftDataset.read(file, null, TRAINING))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("latin1.jsonl:1")
                .hasMessageContaining("UTF-8");
    }

    @Test
    void aLineWithoutEndIsRefusedBeforeItFillsTheMemory() throws IOException {
        Path file = directory.resolve("long.jsonl");
        byte[] bytes = new byte[JsonLines.MAX_LINE_BYTES + 1];
        Arrays.fill(bytes, (byte) 'a');
        Files.write(file, bytes);
        assertThatThrownBy(() -> SftDataset.read(file, null, TRAINING))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("long.jsonl:1: expected lines of at most 16777216 bytes");
    }

    @Test
    void anEmptyFileIsAnError() {
        assertThatThrownBy(() -> read("\n \n", TRAINING))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("expected one row at least");
    }

    @Test
    void rowsWithoutAnyLabelAreAnErrorTogetherButNotAlone() throws IOException {
        String silent = "{\"input_ids\":[1,2],\"labels\":[1,-100]}\n";
        assertThatThrownBy(() -> read(silent + silent, TRAINING))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("found none in 2 rows");
        SftDataset dataset = read(silent + "{\"input_ids\":[1,2]}", TRAINING);
        assertThat(dataset.examples()).hasSize(2);
        assertThat(dataset.unlabelledRows()).isEqualTo(1);
    }

    @Test
    void trainingCutsLongRowsOnTheRightAndCountsThem() throws IOException {
        SftDataset dataset =
                read("{\"input_ids\":[1,2,3,4,5,6,7,8,9]}\n{\"input_ids\":[1,2]}", TRAINING);
        assertThat(dataset.truncatedRows()).isEqualTo(1);
        assertThat(dataset.examples().get(0).ids()).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
    }

    @Test
    void evaluationCutsNothing() {
        assertThatThrownBy(() -> read("{\"input_ids\":[1,2,3]}", DatasetOptions.evaluation(100, 2)))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining(":1: expected at most 2 tokens, found 3");
    }

    @Test
    void aKeyWithNullIsAsAbsent() throws IOException {
        SftDataset dataset = read("{\"text\":null,\"input_ids\":[1,2],\"labels\":null}", TRAINING);
        assertThat(dataset.examples().get(0).labels()).containsExactly(1, 2);
    }

    @Test
    void withLossOnAnswersOnlyEveryRowHasAnAnswer() throws IOException {
        DatasetOptions options = DatasetOptions.training(1024, 512).withAssistantOnlyLoss(true);
        Path file = directory.resolve("rows.jsonl");
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path("golden/tokenizers/llama3"))) {
            for (String row :
                    List.of(
                            "{\"text\": \"a\"}",
                            "{\"prompt\": \"a\", \"completion\": \"b\"}",
                            "{\"input_ids\": [1, 2]}")) {
                Files.writeString(file, row);
                assertThatThrownBy(() -> SftDataset.read(file, tokenizer, options))
                        .isInstanceOf(DatasetException.class)
                        .hasMessageContaining("expected a conversation");
            }
            Files.writeString(file, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}");
            assertThatThrownBy(() -> SftDataset.read(file, tokenizer, options))
                    .isInstanceOf(DatasetException.class)
                    .hasMessageContaining("rows.jsonl")
                    .hasMessageContaining("expected a turn of the role \"assistant\"");
        }
    }
}
