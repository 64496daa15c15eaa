package io.peft4j.tuning.choice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.models.CausalLm;
import io.peft4j.models.TokenScores;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.LanguageModel;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ChoiceEvaluationTest {

    private CausalLm model;
    private Tokenizer tokenizer;

    @BeforeEach
    void load() throws IOException {
        model = ChoiceGoldens.model("llama3");
        tokenizer = ChoiceGoldens.tokenizer("llama3");
    }

    @AfterEach
    void close() {
        tokenizer.close();
        model.close();
    }

    private ChoiceResult evaluate(LanguageModel asked, List<Question> questions, int batchSize) {
        return ChoiceEvaluation.evaluate(
                asked, new ChoiceEncoder(tokenizer, 128), questions, batchSize);
    }

    /** Counts the tokens that are read, padding included, and those that are asked for. */
    private static final class Counting implements LanguageModel {
        private final LanguageModel inner;
        private int rows;
        private int asked;

        Counting(CausalLm model) {
            inner = LanguageModel.of(model);
        }

        @Override
        public NDManager manager() {
            return inner.manager();
        }

        @Override
        public TokenScores nextTokenScores(NDArray ids, long[] places, long[] tokens) {
            rows += (int) ids.getShape().get(0);
            asked += tokens.length;
            return inner.nextTokenScores(ids, places, tokens);
        }

        @Override
        public double[] rowLosses(NDArray ids, NDArray labels) {
            throw new AssertionError();
        }

        @Override
        public double[] backward(NDArray ids, NDArray labels, double divisor) {
            throw new AssertionError();
        }
    }

    @Test
    void choicesForWhichTheModelReadsTheSameAreComputedOnce() throws IOException {
        Counting counting = new Counting(model);
        Question question = Question.of("2+2=", List.of("3", "4", "5"), 1);
        Question other = Question.of("2+2=", List.of("4", "44"), 0);
        evaluate(counting, List.of(question, other), 8);
        // a byte is a token: " 3", " 4" and " 5" share what stands before their last one
        assertThat(counting.rows).isEqualTo(2);
        assertThat(counting.asked).isEqualTo(4 * 2 + 3);
    }

    @Test
    void scoresDependOnNeitherBatchSizeNorNeighbours() throws IOException {
        List<Question> questions = ChoiceGoldens.questions(ChoiceTask.PIQA);
        ChoiceResult together = evaluate(LanguageModel.of(model), questions, 16);
        for (int i = 0; i < questions.size(); i++) {
            List<Question> alone = questions.subList(i, i + 1);
            List<Double> scores =
                    evaluate(LanguageModel.of(model), alone, 1).answers().get(0).scores();
            for (int k = 0; k < scores.size(); k++) {
                assertThat(together.answers().get(i).scores().get(k))
                        .isCloseTo(scores.get(k), within(1e-3));
            }
        }
    }

    @Test
    void manyQuestionsLeaveNoArrayBehindAndKeepTheirOrder() throws IOException {
        Question question = Question.of("2+2=", List.of("3", "four"), 1);
        Question other = Question.of("A cow says", List.of("moo", "a"), 0);
        evaluate(LanguageModel.of(model), List.of(question), 8);
        int before = model.manager().getManagedArrays().size();
        List<Question> many = new ArrayList<>(Collections.nCopies(300, question)); // above a window
        many.add(other);
        ChoiceResult result = evaluate(LanguageModel.of(model), many, 8);
        assertThat(model.manager().getManagedArrays()).hasSize(before);
        assertThat(result.answers()).hasSize(301);
        assertThat(result.answers().get(300).question()).isSameAs(other);
        assertThat(result.answers().get(299).scores().get(1))
                .isCloseTo(result.answers().get(0).scores().get(1), within(1e-4));
    }

    @Test
    void aContinuationThatExceedsTheContextIsRefusedWithTheQuestion() {
        Question fits = Question.of("2+2=", List.of("3", "4"), 1);
        Question wide = Question.of("2+2=", List.of("3", "4".repeat(128)), 1);
        assertThatThrownBy(() -> evaluate(LanguageModel.of(model), List.of(fits, wide), 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "question 2: expected a continuation of 1 to 128 tokens, the model's"
                                + " context, found 129");
    }

    @Test
    void theFirstOfEqualsIsChosenAndLengthsCount() {
        Choice one = new Choice("", "a", 1);
        Choice two = new Choice("", "bb", 2);
        Question question = new Question(List.of(one, two), 1, Optional.empty());
        AnsweredQuestion even = new AnsweredQuestion(question, List.of(-2.0, -2.0));
        assertThat(even.chosen()).isZero();
        assertThat(even.chosenByLength()).isOne();
        assertThatThrownBy(() -> new AnsweredQuestion(question, List.of(-1.0, Double.NaN)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found NaN");
    }

    @Test
    void aSingleQuestionHasNoStandardError() {
        assertThat(Accuracy.of(1, 1).standardError()).isEmpty();
        assertThat(Accuracy.of(1, 2).standardError().orElseThrow()).isEqualTo(0.5);
        assertThat(Accuracy.pooled(List.of(Accuracy.of(1, 1), Accuracy.of(1, 2))).standardError())
                .isEmpty();
    }
}
