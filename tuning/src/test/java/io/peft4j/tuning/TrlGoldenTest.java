package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Rows against what TRL's SFTTrainer made of them. */
class TrlGoldenTest {

    @TempDir Path directory;

    static Stream<Arguments> cases() throws IOException {
        return GoldenJson.cases("sft/cases.json").stream()
                .map(golden -> Arguments.of(golden.get("name").getAsString(), golden));
    }

    private SftDataset read(JsonObject golden) throws IOException {
        StringBuilder lines = new StringBuilder();
        for (JsonElement row : golden.getAsJsonArray("rows")) {
            lines.append(row).append('\n');
        }
        Path file = directory.resolve("rows.jsonl");
        Files.writeString(file, lines);
        try (GoldenTokenizer tokenizer = new GoldenTokenizer()) {
            return SftDataset.read(
                    file,
                    tokenizer,
                    DatasetOptions.training(264, golden.get("max_length").getAsInt()));
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
}
