package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GradientCoverageTest {

    private final NDManager manager = NDManager.newBaseManager("PyTorch");
    private final Parameter a = GoldenJson.parameter(manager, new Shape(2), 1, 2);
    private final Parameter b = GoldenJson.parameter(manager, new Shape(1), 1);
    private final GradientCoverage coverage = new GradientCoverage(ordered());

    private Map<String, Parameter> ordered() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        parameters.put("a", a);
        parameters.put("b", b);
        return parameters;
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void nobodyIsCoveredBeforeTheFirstBackward() {
        coverage.zero();
        assertThat(coverage.covered()).isEmpty();
        assertThat(coverage.missing()).containsExactly("a", "b");
    }

    @Test
    void theFirstGradientCounts() {
        coverage.zero();
        AccumulatedGradients.of(b, 1);
        assertThat(coverage.covered()).containsExactly("b");
        assertThat(coverage.missing()).containsExactly("a");
    }

    @Test
    void aGradientOfZerosIsAGradient() {
        coverage.zero();
        AccumulatedGradients.of(a, 0, 0);
        assertThat(coverage.covered()).containsExactly("a");
    }

    @Test
    void aGradientFromBeforeTheZeroingDoesNotCount() {
        coverage.zero();
        AccumulatedGradients.of(a, 1, 1);
        coverage.zero();
        AccumulatedGradients.of(b, 1);
        assertThat(coverage.covered()).containsExactly("b");
    }

    @Test
    void zeroingTakesEvenANanAway() {
        AccumulatedGradients.of(a, Float.NaN, 1);
        coverage.zero();
        try (NDArray gradient = a.getArray().getGradient()) {
            assertThat(gradient.toFloatArray()).containsExactly(0, 0);
        }
    }
}
