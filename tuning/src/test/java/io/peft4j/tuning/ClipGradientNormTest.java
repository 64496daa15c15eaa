package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ClipGradientNormTest {

    private static final Optimizer ANY =
            Optimizer.sgd().setLearningRateTracker(Tracker.fixed(1)).build();

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/clipping.json").stream();
    }

    private static ReplayedTraining one(float... values) {
        return new ReplayedTraining(
                m -> Map.of("p", GoldenJson.parameter(m, new Shape(values.length), values)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTorchBetweenBackwardAndStep(JsonObject golden) {
        ClipGradientNorm clipping = new ClipGradientNorm(golden.get("max_norm").getAsDouble());
        try (ReplayedTraining training =
                        new ReplayedTraining(golden.getAsJsonObject("shapes"), null);
                Trainer trainer = training.trainer(ANY, clipping)) {
            trainer.setMetrics(new Metrics());
            assertThat(clipping.norm()).isEmpty();
            training.batch(trainer, golden.getAsJsonObject("before"));
            double expected = golden.get("norm").getAsDouble();
            assertThat(clipping.norm().orElseThrow()).isCloseTo(expected, within(1e-6 * expected));
            assertThat(trainer.getMetrics().latestMetric("gradient_norm").getValue().doubleValue())
                    .isEqualTo(clipping.norm().orElseThrow());
            GoldenArrays.expectGradients(training.parameters(), golden.getAsJsonObject("after"));
        }
    }

    @Test
    void aSumOfBatchesIsClippedOnceByACall() {
        ClipGradientNorm clipping = new ClipGradientNorm(1);
        try (ReplayedTraining training = one(0, 0);
                Trainer trainer = training.trainer(ANY)) {
            training.batch(trainer, Map.of("p", new float[] {3, 0}));
            training.batch(trainer, Map.of("p", new float[] {0, 4}));
            assertThat(clipping.clip(trainer)).isEqualTo(5);
            try (NDArray gradient = training.parameters().get("p").getArray().getGradient()) {
                assertThat(gradient.toFloatArray())
                        .containsExactly(new float[] {0.6f, 0.8f}, within(1e-6f));
            }
        }
    }

    @Test
    void aParameterUsedTwiceCountsOnceAndAFrozenOneNot() {
        ClipGradientNorm clipping = new ClipGradientNorm(0);
        ReplayedTraining tied =
                new ReplayedTraining(
                        m -> {
                            Parameter shared = GoldenJson.parameter(m, new Shape(1), 1);
                            Map<String, Parameter> named = new LinkedHashMap<>();
                            named.put("a", shared);
                            named.put("b", shared);
                            named.put("frozen", GoldenJson.parameter(m, new Shape(1), 1));
                            return named;
                        });
        try (tied;
                Trainer trainer = tied.trainer(ANY)) {
            tied.batch(trainer, Map.of("a", new float[] {3}, "frozen", new float[] {9}));
            tied.parameters().get("frozen").freeze(true);
            assertThat(clipping.clip(trainer)).isEqualTo(3);
        }
    }

    @Test
    void aGradientThatIsNotFiniteIsZeroedAndTheParametersStay() {
        ClipGradientNorm clipping = new ClipGradientNorm(1);
        try (ReplayedTraining training = one(7, 8);
                Trainer trainer = training.trainer(ANY, clipping)) {
            assertThatThrownBy(
                            () -> training.batch(trainer, Map.of("p", new float[] {Float.NaN, 1})))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessageContaining("found NaN");
            assertThat(clipping.norm()).hasValue(Double.NaN);
            NDArray p = training.parameters().get("p").getArray();
            assertThat(p.toFloatArray()).containsExactly(7, 8);
            try (NDArray gradient = p.getGradient()) {
                assertThat(gradient.toFloatArray()).containsExactly(0, 0);
            }
            training.batch(trainer, Map.of("p", new float[] {0, 0.5f}));
            assertThat(clipping.norm()).hasValue(0.5);
        }
    }

    @Test
    void gradientsThatDjlKeepsOnAnotherDeviceAreRefused() {
        ClipGradientNorm clipping = new ClipGradientNorm(1);
        try (ReplayedTraining training = one(1);
                Trainer trainer = training.trainer(new Device[] {Device.gpu(3)}, ANY)) {
            assertThatThrownBy(() -> clipping.clip(trainer))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("is on cpu()")
                    .hasMessageContaining("[gpu(3)]");
        }
    }

    @Test
    void aModelWithNothingToTrainIsRefused() {
        ClipGradientNorm clipping = new ClipGradientNorm(1);
        try (ReplayedTraining training = one(1);
                Trainer trainer = training.trainer(ANY)) {
            training.parameters().get("p").freeze(true);
            assertThatThrownBy(() -> clipping.clip(trainer))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("trainable parameter in the model replay, found none");
        }
    }

    @Test
    void aNegativeLimitIsRefused() {
        assertThatThrownBy(() -> new ClipGradientNorm(-1))
                .hasMessage("expected a norm of 0 or more, found -1.0");
    }
}
