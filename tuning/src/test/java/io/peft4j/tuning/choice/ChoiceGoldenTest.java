package io.peft4j.tuning.choice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.LanguageModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Texts, tokens, log-likelihoods and accuracies, against lm-evaluation-harness' own. */
class ChoiceGoldenTest {

    @ParameterizedTest
    @EnumSource
    void textsAreTheHarness(ChoiceTask task) throws IOException {
        JsonArray golden = ChoiceGoldens.of(task).getAsJsonArray("questions");
        List<Question> questions = ChoiceGoldens.questions(task);
        assertThat(questions).hasSameSizeAs(golden);
        for (int i = 0; i < questions.size(); i++) {
            JsonObject expected = golden.get(i).getAsJsonObject();
            JsonElement context = expected.get("context");
            List<Choice> choices = questions.get(i).choices();
            for (int k = 0; k < choices.size(); k++) {
                assertThat(choices.get(k).context())
                        .isEqualTo(
                                (context.isJsonArray() ? context.getAsJsonArray().get(k) : context)
                                        .getAsString());
            }
            assertThat(choices.stream().map(Choice::continuation))
                    .containsExactlyElementsOf(
                            expected.getAsJsonArray("continuations").asList().stream()
                                    .map(JsonElement::getAsString)
                                    .toList());
            assertThat(questions.get(i).answer()).isEqualTo(expected.get("answer").getAsInt());
        }
    }

    @ParameterizedTest
    @EnumSource
    void tokensAreTheHarness(ChoiceTask task) throws IOException {
        JsonObject models = ChoiceGoldens.of(task).getAsJsonObject("models");
        List<Question> questions = ChoiceGoldens.questions(task);
        for (String model : List.of("llama3", "embedded")) {
            int context = model.equals("llama3") ? 128 : 512;
            int cut = 0;
            try (Tokenizer tokenizer = ChoiceGoldens.tokenizer(model)) {
                ChoiceEncoder encoder = new ChoiceEncoder(tokenizer, context);
                for (int i = 0; i < questions.size(); i++) {
                    JsonArray golden = ChoiceGoldens.choices(models.getAsJsonObject(model), i);
                    for (int k = 0; k < golden.size(); k++) {
                        JsonArray expected = golden.get(k).getAsJsonArray();
                        ScoredSequence found = encoder.encode(questions.get(i).choices().get(k));
                        assertThat(found.ids()).hasSize(expected.get(0).getAsInt());
                        assertThat(found.scored()).isEqualTo(expected.get(1).getAsInt());
                        assertThat(crc(found.ids())).isEqualTo(expected.get(2).getAsLong());
                        assertThat(
                                        Arrays.copyOfRange(
                                                found.ids(), found.before(0), found.ids().length))
                                .containsExactly(ChoiceGoldens.longs(expected.get(3)));
                        cut += found.ids().length == context + 1 ? 1 : 0;
                    }
                }
                assertThat(encoder.truncated()).isLessThanOrEqualTo(cut);
                if (task == ChoiceTask.COMMONSENSE && model.equals("llama3")) {
                    assertThat(encoder.truncated())
                            .as("questions that lose their beginning")
                            .isEqualTo(19);
                }
            }
        }
    }

    private static long crc(long... ids) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(ids);
        CRC32 crc = new CRC32();
        crc.update(bytes.array());
        return crc.getValue();
    }

    @ParameterizedTest
    @CsvSource({"llama3", "embedded"})
    void scoresAndAccuraciesAreTheHarness(String name) throws IOException {
        try (CausalLm model = ChoiceGoldens.model(name);
                Tokenizer tokenizer = ChoiceGoldens.tokenizer(name)) {
            for (ChoiceTask task : ChoiceTask.values()) {
                check(task, name, model, tokenizer);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"PIQA", "MMLU"})
    void anAdapterIsOnAsInTheHarness(ChoiceTask task) throws IOException {
        try (CausalLm model = ChoiceGoldens.model("llama3");
                Tokenizer tokenizer = ChoiceGoldens.tokenizer("llama3");
                AdaptedModel adapted =
                        Adapters.load(model.block(), ChoiceGoldens.LLAMA.resolve("dora"))) {
            check(task, "llama3/dora", model, tokenizer);
        }
    }

    private static void check(ChoiceTask task, String name, CausalLm model, Tokenizer tokenizer)
            throws IOException {
        JsonObject golden = ChoiceGoldens.of(task).getAsJsonObject("models").getAsJsonObject(name);
        ChoiceResult result =
                ChoiceEvaluation.evaluate(
                        LanguageModel.of(model),
                        new ChoiceEncoder(tokenizer, model.config().contextLength()),
                        ChoiceGoldens.questions(task),
                        4);
        for (int i = 0; i < result.answers().size(); i++) {
            List<Double> expected = new ArrayList<>();
            for (JsonElement choice : ChoiceGoldens.choices(golden, i)) {
                expected.add(choice.getAsJsonArray().get(4).getAsDouble());
            }
            List<Double> found = result.answers().get(i).scores();
            for (int k = 0; k < expected.size(); k++) {
                double size = Math.max(1, Math.abs(expected.get(k)));
                assertThat(found.get(k))
                        .as("%s %s, question %d, choice %d", name, task, i, k)
                        .isCloseTo(expected.get(k), within(1e-4 * size));
            }
        }
        check(result.accuracy(), golden, "acc");
        check(result.accuracyByLength(), golden, "acc_norm");
    }

    private static void check(Accuracy accuracy, JsonObject golden, String metric) {
        assertThat(accuracy.value()).isCloseTo(golden.get(metric).getAsDouble(), within(1e-12));
        assertThat(accuracy.standardError().orElseThrow())
                .isCloseTo(golden.get(metric + "_stderr").getAsDouble(), within(1e-12));
    }
}
