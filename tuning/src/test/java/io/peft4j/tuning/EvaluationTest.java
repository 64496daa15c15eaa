package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EvaluationTest {

    private final TinyModel model = new TinyModel(0.5f);
    private final List<Example> examples =
            List.of(
                    Example.of(1, 2),
                    Example.of(3, 4, 5, 6, 7),
                    new Example(new long[] {1, 2, 3}, new long[] {-100, -100, -100}),
                    new Example(new long[] {9, 8, 7}, new long[] {9, -100, 7}));

    @AfterEach
    void close() {
        model.close();
    }

    @Test
    void rowsComeInFileOrderWhateverTheBatchSize() {
        EvaluationResult alone = Evaluation.evaluate(model, examples, 1);
        EvaluationResult together = Evaluation.evaluate(model, examples, 3);
        assertThat(alone.rows())
                .extracting(EvaluationResult.Row::tokens)
                .containsExactly(1, 4, 0, 1);
        for (int i = 0; i < 4; i++) {
            assertThat(together.rows().get(i).sum())
                    .isCloseTo(alone.rows().get(i).sum(), within(1e-5));
        }
    }

    @Test
    void theLossIsTheSumOverAllLabelledNextTokensDividedByTheirCount() {
        EvaluationResult result = Evaluation.evaluate(model, examples, 2);
        double sum = result.rows().stream().mapToDouble(EvaluationResult.Row::sum).sum();
        assertThat(result.tokens()).isEqualTo(6);
        assertThat(result.loss()).isEqualTo(sum / 6);
        assertThat(result.perplexity()).isEqualTo(Math.exp(sum / 6));
        assertThat(result.rows().get(1).loss()).isEqualTo(result.rows().get(1).sum() / 4);
        assertThat(result.rows().get(2).loss()).isZero();
    }

    @Test
    void aBigramLossIsWhatSoftmaxSays() {
        EvaluationResult result = Evaluation.evaluate(model, List.of(Example.of(1, 2)), 1);
        float[] embedding = model.values();
        float[] head = model.parameters().get("head").getArray().toFloatArray();
        double[] exponentials = new double[TinyModel.VOCABULARY];
        double total = 0;
        for (int token = 0; token < exponentials.length; token++) {
            double logit = 0;
            for (int k = 0; k < 6; k++) {
                logit += (double) embedding[6 + k] * head[6 * token + k];
            }
            exponentials[token] = Math.exp(logit);
            total += exponentials[token];
        }
        assertThat(result.loss()).isCloseTo(-Math.log(exponentials[2] / total), within(1e-6));
    }

    @Test
    void withoutAnyLabelThereIsNothingToMeasure() {
        assertThatThrownBy(() -> Evaluation.evaluate(model, examples.subList(2, 3), 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("found none");
    }

    @Test
    void evaluatingLeavesNoArrayBehind() {
        int before = model.manager().getManagedArrays().size();
        Evaluation.evaluate(model, examples, 2);
        assertThat(model.manager().getManagedArrays()).hasSize(before);
    }
}
