package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GeneratedText;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TextGenerator;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pretrained LLaMA from its files to its fine-tuned text, against transformers and PEFT. */
class RealModelTest {

    private record Recipe(
            int batch,
            int steps,
            double learning_rate,
            int warmup,
            double max_grad_norm,
            int max_length) {}

    private record Text(String prompt, List<Long> ids, String text) {}

    private record Curve(double[] losses, double valid_loss, Text text) {}

    private static final Path DIRECTORY = TestData.path("golden/stories260K");
    private static final Gson GSON = new Gson();

    @TempDir Path output;
    private JsonObject golden;
    private Recipe recipe;
    private CausalLm model;
    private Tokenizer tokenizer;

    @BeforeEach
    void load() throws IOException {
        golden =
                JsonParser.parseString(Files.readString(DIRECTORY.resolve("curves.json")))
                        .getAsJsonObject();
        recipe = GSON.fromJson(golden.get("recipe"), Recipe.class);
        model = CausalLm.load(DIRECTORY.resolve("model"), Device.cpu());
        tokenizer = Tokenizer.load(DIRECTORY.resolve("model"));
    }

    @AfterEach
    void close() {
        tokenizer.close();
        model.close();
    }

    private List<Example> rows(String file) throws IOException {
        return SftDataset.read(
                        DIRECTORY.resolve(file),
                        tokenizer,
                        DatasetOptions.training(512, recipe.max_length()))
                .examples();
    }

    private double validLoss() throws IOException {
        return Evaluation.evaluate(LanguageModel.of(model), rows("valid.jsonl"), 5).loss();
    }

    private void assertWrites(Text expected) {
        GenerationConfig greedy = GenerationConfig.builder().optMaxNewTokens(60).build();
        GeneratedText text =
                new TextGenerator(model, tokenizer).generate(expected.prompt(), greedy);
        assertThat(text.text()).isEqualTo(expected.text());
        assertThat(text.ids()).isEqualTo(expected.ids());
    }

    @Test
    void itsLossAndItsStoriesAreThoseOfTransformers() throws IOException {
        assertThat(validLoss()).isCloseTo(golden.get("valid_loss").getAsDouble(), within(1e-5));
        for (Text expected : GSON.fromJson(golden.get("texts"), Text[].class)) {
            assertWrites(expected);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void itLearnsShakespeareAsWithPeft(String method) throws IOException {
        Curve expected = GSON.fromJson(golden.get(method), Curve.class);
        TrainingConfig config =
                TrainingConfig.builder()
                        .optBatchSize(recipe.batch())
                        .optMaxSteps(recipe.steps())
                        .optLearningRate(recipe.learning_rate())
                        .optSchedule(Schedule.LINEAR)
                        .optWarmupSteps(recipe.warmup())
                        .optMaxGradNorm(recipe.max_grad_norm())
                        .optShuffle(false)
                        .build();
        Recorder recorder = new Recorder();
        try (AdaptedModel adapted = Adapters.load(model.block(), DIRECTORY.resolve(method))) {
            SftTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    rows("train.jsonl"),
                    List.of(),
                    config,
                    output,
                    recorder);
            assertThat(recorder.steps).hasSize(recipe.steps());
            for (int i = 0; i < recipe.steps(); i++) {
                assertThat(recorder.steps.get(i).loss())
                        .as("step " + (i + 1))
                        .isCloseTo(expected.losses()[i], within(1e-4));
            }
            assertThat(validLoss()).isCloseTo(expected.valid_loss(), within(1e-4));
            assertWrites(expected.text());
        }
    }
}
