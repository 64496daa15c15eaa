package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BatchGenerationTest {

    private static final List<long[]> PROMPTS =
            List.of(
                    new long[] {1, 5, 9, 20, 31, 7, 8},
                    new long[] {1, 40},
                    new long[] {1, 17, 18, 19, 3},
                    new long[] {6});

    private static CausalLm load(String name) throws IOException {
        return CausalLm.load(TestData.path("golden/" + name), Device.cpu());
    }

    private static List<long[]> alone(CausalLm model, GenerationConfig config) {
        List<long[]> rows = new ArrayList<>();
        for (int i = 0; i < PROMPTS.size(); i++) {
            rows.add(
                    new Generator()
                            .generate(
                                    model,
                                    PROMPTS.get(i),
                                    config.toBuilder().optSeed(config.seed() + i).build(),
                                    id -> {}));
        }
        return rows;
    }

    private static List<long[]> together(CausalLm model, GenerationConfig config) {
        return new Generator().generate(model, PROMPTS, config, (row, id) -> true);
    }

    private static void assertSame(List<long[]> found, List<long[]> expected) {
        assertThat(found).hasSameSizeAs(expected);
        for (int i = 0; i < found.size(); i++) {
            assertThat(found.get(i)).as("row " + i).containsExactly(expected.get(i));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "openelm/model",
                "llama3/model",
                "phi3/model",
                "mixtral/model",
                "qwen2/model"
            })
    void aRowOfABatchIsWhatItIsAlone(String name) throws IOException {
        try (CausalLm model = load(name)) {
            GenerationConfig greedy = GenerationConfig.builder().optMaxNewTokens(14).build();
            assertSame(together(model, greedy), alone(model, greedy));
            GenerationConfig warm =
                    greedy.toBuilder()
                            .optTemperature(1.2)
                            .optTopK(30)
                            .optRepetitionPenalty(1.3)
                            .build();
            assertSame(together(model, warm), alone(model, warm));
        }
    }

    @Test
    void aWindowSlidesOverPaddingToo(@TempDir Path narrow) throws IOException {
        Path model = TestData.path("golden/phi3/model");
        Files.copy(model.resolve("model.safetensors"), narrow.resolve("model.safetensors"));
        JsonObject config =
                JsonParser.parseString(Files.readString(model.resolve("config.json")))
                        .getAsJsonObject();
        config.addProperty("sliding_window", 4);
        Files.writeString(narrow.resolve("config.json"), config.toString());
        try (CausalLm windowed = CausalLm.load(narrow, Device.cpu());
                CausalLm wide = load("phi3/model")) {
            GenerationConfig greedy = GenerationConfig.builder().optMaxNewTokens(14).build();
            assertSame(together(windowed, greedy), alone(windowed, greedy));
            assertThat(together(windowed, greedy).get(0))
                    .isNotEqualTo(together(wide, greedy).get(0));
        }
    }

    @Test
    void aRowEndsForItselfAlone() throws IOException {
        try (CausalLm model = load("openelm/model")) {
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(10).build();
            List<long[]> whole = together(model, config);
            long ending = whole.get(1)[2];
            GenerationConfig stopping = config.toBuilder().optEosIds(List.of(ending)).build();
            assertSame(together(model, stopping), alone(model, stopping));
            assertThat(together(model, stopping).get(1)).endsWith(ending);

            int[] told = new int[PROMPTS.size()];
            List<long[]> refused =
                    new Generator().generate(model, PROMPTS, config, (row, id) -> ++told[row] < 4);
            assertThat(refused).allSatisfy(row -> assertThat(row).hasSize(4));
            assertThat(told).containsOnly(4);
        }
    }

    @Test
    void anyRowThatDoesNotFitRefusesTheBatch() throws IOException {
        try (CausalLm model = load("openelm/model")) {
            GenerationConfig config = GenerationConfig.builder().optMaxNewTokens(60).build();
            assertThatThrownBy(() -> together(model, config))
                    .isInstanceOf(InvalidTokensException.class)
                    .hasMessageContaining("a prompt of 7 and 60 new ones");
            assertThat(new Generator().generate(model, List.of(), config, (row, id) -> true))
                    .isEmpty();
        }
    }
}
