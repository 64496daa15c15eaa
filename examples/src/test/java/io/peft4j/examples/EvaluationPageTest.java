package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.choice.ChoiceDataset;
import io.peft4j.tuning.choice.ChoiceEncoder;
import io.peft4j.tuning.choice.ChoiceEvaluation;
import io.peft4j.tuning.choice.ChoiceResult;
import io.peft4j.tuning.choice.ChoiceTask;
import io.peft4j.tuning.choice.Question;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The Java code of docs/evaluation.md is the code below. */
class EvaluationPageTest {

    private static final Path MODEL = TestData.path("embedded/model");

    @Test
    void thePagesExampleAnswersQuestions() throws IOException {
        Path file = TestData.path("choice/piqa.jsonl");
        try (CausalLm model = CausalLm.load(MODEL, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            // example begins
            List<Question> questions = ChoiceDataset.read(file, ChoiceTask.PIQA);
            ChoiceResult result =
                    ChoiceEvaluation.evaluate(
                            LanguageModel.of(model),
                            new ChoiceEncoder(tokenizer, model.config().contextLength()),
                            questions,
                            8);
            double accuracy = result.accuracy().value();
            // example ends
            assertThat(accuracy).isEqualTo(0.5);
        }
    }
}
