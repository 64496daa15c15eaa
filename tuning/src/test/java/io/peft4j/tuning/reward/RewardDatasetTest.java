package io.peft4j.tuning.reward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.DatasetException;
import io.peft4j.tuning.preference.PairBatches;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Rows as pairs, against TRL's own preparation. */
class RewardDatasetTest {

    @TempDir Path directory;

    static Stream<Arguments> cases() throws IOException {
        return RewardGoldens.list("cases.json").stream()
                .map(one -> Arguments.of(one.get("name").getAsString(), one));
    }

    private Path write(String... rows) throws IOException {
        return Files.writeString(directory.resolve("rows.jsonl"), String.join("\n", rows) + "\n");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void tokensAreTrls(String name, JsonObject golden) throws IOException {
        List<JsonObject> rows = RewardGoldens.objects(golden.get("rows"));
        List<JsonObject> expected = RewardGoldens.objects(golden.get("expected"));
        Path file = write(rows.stream().map(String::valueOf).collect(Collectors.joining("\n")));
        try (Tokenizer tokenizer = RewardGoldens.tokenizer()) {
            RewardDataset dataset =
                    RewardDataset.read(
                            file,
                            tokenizer,
                            RewardGoldens.VOCABULARY,
                            golden.get("max_length").getAsInt());
            assertThat(dataset.pairs()).hasSameSizeAs(expected);
            assertThat(dataset.droppedRows()).isEqualTo(rows.size() - expected.size());
            for (int i = 0; i < expected.size(); i++) {
                PreferencePair pair = dataset.pairs().get(i);
                JsonObject row = expected.get(i);
                assertThat(pair.chosen().ids()).isEqualTo(RewardGoldens.longs(row.get("chosen")));
                assertThat(pair.rejected().ids())
                        .isEqualTo(RewardGoldens.longs(row.get("rejected")));
                assertThat(pair.margin()).isCloseTo(row.get("margin").getAsDouble(), within(1e-6));
            }
        }
    }

    @Test
    void tokensMayBeGivenWithOrWithoutThePrompt() throws IOException {
        Path file =
                write(
                        "{\"chosen_ids\": [1, 2], \"rejected_ids\": [3]}",
                        "{\"prompt_ids\": [9], \"chosen_ids\": [1, 2], \"rejected_ids\": [3],"
                                + " \"margin\": 2}");
        List<PreferencePair> pairs = RewardDataset.read(file, null, 10, 8).pairs();
        assertThat(pairs.get(0).chosen().ids()).containsExactly(1, 2);
        assertThat(pairs.get(1).chosen().ids()).containsExactly(9, 1, 2);
        assertThat(pairs.get(1).rejected().ids()).containsExactly(9, 3);
        assertThat(pairs.get(1).margin()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"chosen\": \"a\"} | rows.jsonl:1: expected {\"chosen\": …, \"rejected\"",
                "{\"chosen\": \"a\", \"rejected\": \"b\"} | there is no tokenizer",
                "{\"chosen_ids\": [1], \"rejected_ids\": [10]} | from 0 to 9, found 10",
                "{\"chosen_ids\": [1], \"rejected_ids\": []} | one token at least in \"rejected\"",
                "{\"chosen_ids\": [1], \"rejected_ids\": [2], \"margin\": \"x\"} | a finite number",
                "{\"chosen_ids\": [1,1,1,1,1,1,1,1,1], \"rejected_ids\": [2]} | more than 8 tokens",
            })
    void whatCannotBeUsedIsRefused(String row, String message) throws IOException {
        Path file = write(row);
        assertThatThrownBy(() -> RewardDataset.read(file, null, 10, 8))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining(message);
    }

    @Test
    void aMarginIsAPartOfWhatIsLearnedFrom() throws IOException {
        PairBatches with = new PairBatches(RewardGoldens.pairs(true));
        PairBatches without = new PairBatches(RewardGoldens.pairs(false));
        assertThat(with.fingerprint()).hasSize(64).isNotEqualTo(without.fingerprint());
    }
}
