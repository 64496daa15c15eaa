package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.preference.PreferenceOptions.Truncation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Pairs as tokens, against what TRL's DPOTrainer made of the same rows. */
class PreferenceDatasetTest {

    @TempDir Path directory;

    static Stream<Arguments> cases() throws IOException {
        return DpoGoldens.list("cases.json").stream()
                .map(golden -> Arguments.of(golden.get("name").getAsString(), golden));
    }

    private PreferenceDataset read(PreferenceOptions options, String... rows) throws IOException {
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(file, String.join("\n", rows));
        try (Tokenizer tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"))) {
            return PreferenceDataset.read(file, tokenizer, options);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void tokensAreTrls(String name, JsonObject golden) throws IOException {
        PreferenceOptions options =
                new PreferenceOptions(
                        DpoGoldens.VOCABULARY,
                        golden.get("max_length").getAsInt(),
                        Truncation.valueOf(
                                golden.get("truncation_mode")
                                        .getAsString()
                                        .toUpperCase(Locale.ROOT)));
        JsonArray rows = golden.getAsJsonArray("rows");
        JsonArray expected = golden.getAsJsonArray("expected");
        PreferenceDataset dataset =
                read(
                        options,
                        rows.asList().stream().map(JsonElement::toString).toArray(String[]::new));
        assertThat(dataset.pairs()).hasSize(expected.size());
        assertThat(dataset.droppedRows()).isEqualTo(rows.size() - expected.size());
        for (int i = 0; i < expected.size(); i++) {
            JsonObject row = expected.get(i).getAsJsonObject();
            expect(dataset.pairs().get(i).chosen(), row, "chosen");
            expect(dataset.pairs().get(i).rejected(), row, "rejected");
        }
        assertThat(dataset.mismatchedPrompts())
                .isEqualTo(name.equals("prompt_of_another_tokenisation") ? 1 : 0);
        assertThat(dataset.truncatedRows() > 0).isEqualTo(name.startsWith("keep_"));
    }

    private static void expect(Example example, JsonObject row, String key) {
        assertThat(example.ids()).containsExactly(DpoGoldens.longs(row.get(key)));
        long[] mask = DpoGoldens.longs(row.get(key + "_mask"));
        for (int i = 0; i < mask.length; i++) {
            assertThat(example.labels()[i])
                    .isEqualTo(mask[i] == 1 ? example.ids()[i] : Example.IGNORED);
        }
    }

    @Test
    void rowsOfTokensNeedNoTokenizer() throws IOException {
        Path file = directory.resolve("ids.jsonl");
        Files.writeString(
                file, "{\"prompt_ids\":[1,2],\"chosen_ids\":[3],\"rejected_ids\":[4,5]}\n");
        PreferencePair pair =
                PreferenceDataset.read(file, null, new PreferenceOptions(9, 8)).pairs().get(0);
        assertThat(pair.chosen().ids()).containsExactly(1, 2, 3);
        assertThat(pair.rejected().labels()).containsExactly(-100, -100, 4, 5);
        assertThat(pair.length()).isEqualTo(4);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    {"prompt":"a","chosen":"b"}                  | expected {"prompt": …, "chosen": …, "rejected": …}
                    {"text":"a"}                                 | found the keys [text]
                    {"prompt":"a","chosen":"b","rejected":1}     | expected "rejected" to be a string, found 1
                    {"prompt":[{"role":"user","content":"a"}],"chosen":"b","rejected":"c"} | expected "prompt" to be a string
                    {"prompt":"a","chosen":[{"role":"user","content":"a"}],"rejected":"c"} | expected "rejected" to be a list of messages
                    {"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"b"}]} | begin with the same message
                    {"prompt":"a","chosen":"b","rejected":"c","tools":[]} | expected no "tools"
                    {"prompt_ids":[1],"chosen_ids":[999],"rejected_ids":[2]} | expected a token id from 0 to 263, found 999 at position 1
                    {"prompt_ids":[],"chosen_ids":[],"rejected_ids":[2]} | expected one token at least
                    """)
    void aRowThatCannotBeUsedIsRefusedWithFileAndLine(String row, String message) {
        assertThatThrownBy(
                        () ->
                                read(
                                        new PreferenceOptions(DpoGoldens.VOCABULARY, 64),
                                        "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}",
                                        row))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("rows.jsonl:2: ")
                .hasMessageContaining(message);
    }

    @Test
    void aFileWhosePromptsLeaveNoRoomIsRefused() {
        assertThatThrownBy(
                        () ->
                                read(
                                        new PreferenceOptions(DpoGoldens.VOCABULARY, 3),
                                        "{\"prompt\":\"abcdef\",\"chosen\":\"b\",\"rejected\":\"c\"}"))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("the prompts of all 1 rows fill the length of 3 tokens");
    }
}
