package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GradientClippingTest {

    private final NDManager manager = NDManager.newBaseManager("PyTorch");

    @AfterEach
    void close() {
        manager.close();
    }

    static Stream<JsonObject> cases() throws IOException {
        return GoldenJson.cases("optimizer/clipping.json").stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTorch(JsonObject golden) {
        Map<String, Parameter> parameters =
                GoldenJson.parameters(manager, golden.getAsJsonObject("shapes"), null);
        AccumulatedGradients.of(parameters, golden.getAsJsonObject("before"));
        double norm =
                GradientClipping.clip(parameters.values(), golden.get("max_norm").getAsDouble());
        double expected = golden.get("norm").getAsDouble();
        assertThat(norm).isCloseTo(expected, within(1e-6 * expected));
        parameters.forEach(
                (name, parameter) -> {
                    try (NDArray gradient = parameter.getArray().getGradient()) {
                        float[] values = gradient.toFloatArray();
                        float[] after =
                                GoldenJson.floats(golden.getAsJsonObject("after").get(name));
                        for (int i = 0; i < after.length; i++) {
                            assertThat(values[i])
                                    .isCloseTo(after[i], within(1e-6f * Math.abs(after[i])));
                        }
                    }
                });
    }

    @Test
    void aLimitOfZeroOnlyMeasures() {
        Parameter p = GoldenJson.parameter(manager, new Shape(2), 0, 0);
        AccumulatedGradients.of(p, 3, 4);
        assertThat(GradientClipping.clip(List.of(p), 0)).isEqualTo(5);
        try (NDArray gradient = p.getArray().getGradient()) {
            assertThat(gradient.toFloatArray()).containsExactly(3, 4);
        }
    }

    @Test
    void withoutAnyGradientTheNormIsZero() {
        assertThat(
                        GradientClipping.clip(
                                List.of(GoldenJson.parameter(manager, new Shape(2), 1, 2)), 1))
                .isZero();
    }

    @Test
    void anInfiniteGradientShowsInTheNorm() {
        Parameter p = GoldenJson.parameter(manager, new Shape(2), 0, 0);
        AccumulatedGradients.of(p, Float.POSITIVE_INFINITY, 4);
        assertThat(GradientClipping.clip(List.of(p), 1)).isInfinite();
    }
}
