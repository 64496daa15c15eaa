package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.torch.GradMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Losses that are functions of tokens' log-probabilities. */
class TokenObjectiveTest {

    private static final int ROWS = 4;
    private static final double[] SLOPES = {0.7, -1.3, 0, 0.05};

    private static float[] byRow(TokenScores scores) {
        float[] slopes = new float[scores.count()];
        for (int i = 0; i < slopes.length; i++) {
            slopes[i] = (float) SLOPES[scores.rowOf(i)];
        }
        return slopes;
    }

    /** Only one row keeps its labels. */
    private static NDArray labelsOf(NDManager owner, NDArray labels, int row) {
        long[] values = labels.toLongArray();
        int columns = values.length / ROWS;
        for (int i = 0; i < values.length; i++) {
            values[i] = i / columns == row ? values[i] : -100;
        }
        return owner.create(values, labels.getShape());
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,all-linear",
        "llama,dora,q_proj+down_proj",
        "mistral,lora,lm_head+v_proj",
        "phi3,dora,all-linear",
        "openelm,lora,all-linear",
        "mixtral,dora,all-linear"
    })
    void theGradientIsTheSumOfEachRowsTimesItsSlope(String family, String method, String targets) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted =
                        TinyAdapters.attach(model, method, 0, targets.split("\\+", -1));
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, 4, ROWS, 7);
            NDArray labels = TinyModels.labels(scope, ids, null);
            model.useLayerKernels(false);
            Map<String, float[]> expected = new HashMap<>();
            for (int row = 0; row < ROWS; row++) {
                if (SLOPES[row] != 0) {
                    model.backward(ids, labelsOf(scope, labels, row), -1 / SLOPES[row]);
                    TinyAdapters.takeGradients(adapted)
                            .forEach((name, g) -> expected.merge(name, g, this::sum));
                }
            }
            for (boolean byKernels : new boolean[] {false, true}) {
                model.useLayerKernels(byKernels);
                for (boolean again : new boolean[] {false, true}) {
                    model.useGradientCheckpointing(again);
                    model.backward(ids, null, labels, TokenObjectiveTest::byRow, 1);
                    assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
                    BothWays.assertSame(TinyAdapters.takeGradients(adapted), expected);
                }
            }
        }
    }

    /** The loss is the sum of log p at a temperature, so that its slopes are 1. */
    private record Tempered(double temperature) implements TokenObjective {

        @Override
        public float[] slopes(TokenScores scores) {
            float[] slopes = new float[scores.count()];
            Arrays.fill(slopes, 1);
            return slopes;
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,lora,all-linear", "phi3,dora,lm_head+o_proj", "mistral,dora,lm_head"})
    void theGradientAtATemperatureIsWhatDifferencesSay(
            String family, String method, String targets) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted =
                        TinyAdapters.attach(model, method, 0, targets.split("\\+", -1));
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray labels = TinyModels.labels(scope, ids, null);
            Tempered objective = new Tempered(0.6);
            for (boolean byKernels : new boolean[] {false, true}) {
                model.useLayerKernels(byKernels);
                TokenScores told = model.backward(ids, null, labels, objective, 1);
                assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
                TokenScores asked = model.tokenScores(ids, labels, 0.6);
                assertThat(sum(told)).isCloseTo(sum(asked), within(1e-4));
                Map<String, float[]> gradients = TinyAdapters.takeGradients(adapted);
                adapted.adapter()
                        .parameters()
                        .forEach(
                                (name, parameter) -> {
                                    NDArray array = parameter.getArray();
                                    double slope = difference(model, ids, labels, array);
                                    assertThat((double) gradients.get(name)[0])
                                            .as(name)
                                            .isCloseTo(
                                                    slope, within(2e-2 + 1e-2 * Math.abs(slope)));
                                });
            }
        }
    }

    /** The slope of the sum of log p by the first number of a parameter, by differences. */
    private static double difference(CausalLm model, NDArray ids, NDArray labels, NDArray array) {
        float step = 1e-2f;
        try (GradMode off = GradMode.disabled()) {
            float[] values = array.toFloatArray();
            float first = values[0];
            double[] sums = new double[2];
            for (int side = 0; side < 2; side++) {
                values[0] = first + (side == 0 ? step : -step);
                array.set(values);
                sums[side] = sum(model.tokenScores(ids, labels, 0.6));
            }
            values[0] = first;
            array.set(values);
            return (sums[0] - sums[1]) / (2 * step);
        }
    }

    private static double sum(TokenScores scores) {
        return Arrays.stream(scores.rowSums()).sum();
    }

    private float[] sum(float[] one, float[] other) {
        float[] sum = one.clone();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += other[i];
        }
        return sum;
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void slopesThatAreAllTheSameGiveTheMeanLossesGradientBitForBit(boolean byKernels) {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            model.useLayerKernels(byKernels);
            NDArray ids = TinyModels.ids(scope);
            NDArray labels = TinyModels.labels(scope, ids, null);
            double[] losses = model.backward(ids, labels, 10);
            Map<String, float[]> expected = TinyAdapters.takeGradients(adapted);
            TokenScores scores =
                    model.backward(
                            ids,
                            null,
                            labels,
                            told -> {
                                float[] slopes = new float[told.count()];
                                Arrays.fill(slopes, -0.1f);
                                return slopes;
                            },
                            1);
            TinyAdapters.takeGradients(adapted)
                    .forEach((name, g) -> assertThat(g).as(name).isEqualTo(expected.get(name)));
            for (int row = 0; row < losses.length; row++) {
                assertThat(scores.rowSums()[row]).isCloseTo(-losses[row], within(1e-6));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
    void aTemperatureThatIsNoneIsRefused(double temperature) {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            NDArray labels = TinyModels.labels(scope, ids, null);
            Tempered objective = new Tempered(temperature);
            assertThatThrownBy(() -> model.backward(ids, null, labels, objective, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("expected a temperature above 0, found " + temperature);
            assertThatThrownBy(() -> model.tokenScores(ids, labels, temperature))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("expected a temperature above 0, found " + temperature);
            assertThat(adapted.names()).hasSize(1);
        }
    }

    @ParameterizedTest
    @CsvSource({"true, 1", "false, 1", "true, 0.7", "false, 0.7", "true, 2.5"})
    void scoresAreThoseOfTheLogits(boolean byKernels, double temperature) {
        try (CausalLm model = TinyModels.model("openelm");
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            model.useLayerKernels(byKernels);
            NDArray ids = TinyModels.ids(scope);
            NDArray labels = TinyModels.labels(scope, ids, null);
            TokenScores scores = model.tokenScores(ids, labels, temperature);
            assertThat(model.wasByLayerKernels()).isEqualTo(byKernels);
            float[] logits = model.logits(scope, ids, null).div((float) temperature).toFloatArray();
            int columns = (int) ids.getShape().get(1);
            long[] wanted = labels.toLongArray();
            int token = 0;
            for (int i = 0; i < wanted.length; i++) {
                if (i % columns > 0 && wanted[i] >= 0) {
                    int from = (i - 1) * TinyModels.VOCABULARY;
                    expect(
                            scores,
                            token++,
                            Arrays.copyOfRange(logits, from, from + TinyModels.VOCABULARY),
                            (int) wanted[i]);
                }
            }
            assertThat(scores.count()).isEqualTo(token);
            assertThat(scores.rows()).isEqualTo(2);
            assertThat(adapted.names()).hasSize(1);
        }
    }

    private static void expect(TokenScores scores, int token, float[] logits, int wanted) {
        double sum = 0;
        double mean = 0;
        int likeliest = 0;
        for (int i = 0; i < logits.length; i++) {
            sum += Math.exp(logits[i]);
            mean += logits[i] / logits.length;
            likeliest = logits[i] > logits[likeliest] ? i : likeliest;
        }
        double entropy = 0;
        for (float logit : logits) {
            entropy -= Math.exp(logit) / sum * (logit - Math.log(sum));
        }
        assertThat((double) scores.logProbability(token))
                .isCloseTo(logits[wanted] - Math.log(sum), within(1e-5));
        assertThat((double) scores.entropy(token)).isCloseTo(entropy, within(1e-5));
        assertThat((double) scores.meanLogit(token)).isCloseTo(mean, within(1e-5));
        assertThat(scores.isLikeliest(token)).isEqualTo(likeliest == wanted);
    }

    @Test
    void anObjectiveIsAskedOnceAlsoOfABatchWithoutLabels() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "q_proj");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = scope.create(new long[] {1, 2}, new Shape(2, 1));
            List<TokenScores> asked = new ArrayList<>();
            TokenScores scores =
                    model.backward(
                            ids,
                            null,
                            ids,
                            told -> {
                                asked.add(told);
                                return new float[0];
                            },
                            1);
            assertThat(asked).containsExactly(scores);
            assertThat(scores.rowSums()).containsExactly(0, 0);
            assertThat(adapted.active()).containsExactly(AdaptedModel.DEFAULT);
        }
    }

    @Test
    void aWrongNumberOfSlopesIsRefused() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted = TinyAdapters.attach(model, "lora", 0, "q_proj");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope);
            assertThat(adapted.names()).hasSize(1);
            assertThatThrownBy(() -> model.backward(ids, null, ids, told -> new float[1], 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("expected 16 slopes, found 1");
        }
    }
}
