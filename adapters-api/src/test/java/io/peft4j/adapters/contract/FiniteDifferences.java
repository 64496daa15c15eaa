package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.Map;
import java.util.SplittableRandom;

/** The gradients of a model's adapter against what small steps do to \(\sum y \cdot u\). */
final class FiniteDifferences {

    private static final float STEP = 1e-2f;
    private static final double TOLERANCE = 1e-2;

    private FiniteDifferences() {}

    /** Checks three elements of every parameter whose gradient is meant to be exact. */
    static void check(AdapterCase c, AdaptedModel adapted) {
        NDArray x = c.input();
        NDArray upstream;
        try (GradMode on = GradMode.enabled()) {
            NDArray y = c.train(adapted.block(), x);
            upstream = c.random(y.getShape(), 1, new SplittableRandom(4));
            Gradients.backward(y, upstream);
        }
        float[] direction = upstream.toFloatArray();
        for (Map.Entry<String, Parameter> entry : adapted.adapter().parameters().entrySet()) {
            if (!isExact(c, adapted, entry.getValue())) {
                continue;
            }
            float[] gradient = gradient(entry.getValue());
            for (int i : new int[] {0, gradient.length / 2, gradient.length - 1}) {
                double slope = slope(c, adapted, x, direction, entry.getValue(), i);
                assertThat((double) gradient[i])
                        .as("%s[%d]", entry.getKey(), i)
                        .isCloseTo(slope, within(TOLERANCE * (1 + Math.abs(slope))));
            }
        }
    }

    private static boolean isExact(AdapterCase c, AdaptedModel adapted, Parameter parameter) {
        return adapted.adapter().states().values().stream()
                .flatMap(state -> state.parameters().entrySet().stream())
                .filter(entry -> entry.getValue() == parameter)
                .allMatch(entry -> c.contract().hasExactGradient(entry.getKey()));
    }

    private static float[] gradient(Parameter parameter) {
        try (NDArray gradient = parameter.getArray().getGradient()) {
            return gradient.toFloatArray();
        }
    }

    private static double slope(
            AdapterCase c, AdaptedModel adapted, NDArray x, float[] u, Parameter p, int i) {
        float[] values = p.getArray().toFloatArray();
        float middle = values[i];
        double above = moved(c, adapted, x, u, p, values, i, middle + STEP);
        double below = moved(c, adapted, x, u, p, values, i, middle - STEP);
        moved(c, adapted, x, u, p, values, i, middle);
        return (above - below) / (2 * STEP);
    }

    private static double moved(
            AdapterCase c,
            AdaptedModel adapted,
            NDArray x,
            float[] u,
            Parameter parameter,
            float[] values,
            int i,
            float value) {
        values[i] = value;
        try (NDArray moved = Tensors.of(c.scratch(), values, parameter.getShape())) {
            AdapterCase.set(parameter, moved);
        }
        float[] y = c.run(adapted.block(), x, true);
        double sum = 0;
        for (int j = 0; j < y.length; j++) {
            sum += (double) y[j] * u[j];
        }
        return sum;
    }
}
