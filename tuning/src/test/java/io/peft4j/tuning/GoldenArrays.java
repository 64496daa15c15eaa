package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import com.google.gson.JsonObject;
import java.util.Map;

/** Compares with float32 numbers of torch, whose last digit may be otherwise. */
final class GoldenArrays {

    private GoldenArrays() {}

    static void expect(Map<String, Parameter> parameters, JsonObject golden) {
        expect(parameters, golden, 1e-6f);
    }

    /** Compares numbers that came about from others of a size, such as by cancellation. */
    static void expect(Map<String, Parameter> parameters, JsonObject golden, float size) {
        assertThat(golden.keySet()).isEqualTo(parameters.keySet());
        parameters.forEach(
                (name, parameter) ->
                        expect(
                                name,
                                parameter.getArray(),
                                size,
                                GoldenJson.floats(golden.get(name))));
    }

    static void expectGradients(Map<String, Parameter> parameters, JsonObject golden) {
        parameters.forEach(
                (name, parameter) -> {
                    try (NDArray gradient = parameter.getArray().getGradient()) {
                        expect(name, gradient, GoldenJson.floats(golden.get(name)));
                    }
                });
    }

    static void expect(String name, NDArray array, float... golden) {
        expect(name, array, 1e-6f, golden);
    }

    private static void expect(String name, NDArray array, float size, float... golden) {
        float[] values = array.toFloatArray();
        assertThat(values).hasSameSizeAs(golden);
        for (int i = 0; i < golden.length; i++) {
            assertThat(values[i])
                    .as("%s[%d]", name, i)
                    .isCloseTo(golden[i], within(1e-6f * Math.max(Math.abs(golden[i]), size)));
        }
    }
}
