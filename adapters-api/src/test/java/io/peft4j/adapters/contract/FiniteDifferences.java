package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
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

    /**
     * Skips a case in which libtorch itself is wrong without any adapter: oneDNN 3.7.1, which
     * libtorch 2.7.1 has, was seen to give wrong gradients by the inputs of narrow convolutions and
     * of recurrent layers on a virtual machine with AMD's Zen 5. Nothing that lies behind such a
     * layer can be right then.
     */
    static void assumeThatBareLayersAreRight(AdapterCase c, AdaptedModel adapted) {
        NDArray x = c.input();
        if (x.getDataType() == DataType.INT64) {
            return;
        }
        x.setRequiresGradient(true);
        try (AdapterScope off = adapted.disableAdapter()) {
            float[] direction;
            try (GradMode on = GradMode.enabled()) {
                NDArray y = c.train(adapted.block(), x);
                NDArray upstream = c.random(y.getShape(), 1, new SplittableRandom(4));
                Gradients.backward(y, upstream);
                direction = upstream.toFloatArray();
            }
            float[] gradient;
            try (NDArray held = x.getGradient()) {
                gradient = held.toFloatArray();
            }
            float[] values = x.toFloatArray();
            for (int i = 0; i < values.length; i++) {
                double slope = inputSlope(c, adapted, x, values, direction, i);
                assumeThat((double) gradient[i])
                        .as("libtorch's own gradient by input %d, without an adapter", i)
                        .isCloseTo(slope, within(TOLERANCE * (1 + Math.abs(slope))));
            }
        }
    }

    private static double inputSlope(
            AdapterCase c, AdaptedModel adapted, NDArray x, float[] values, float[] u, int i) {
        double difference = 0;
        for (int sign : new int[] {1, -1}) {
            float[] moved = values.clone();
            moved[i] += sign * STEP;
            try (NDArray input = Tensors.of(c.scratch(), moved, x.getShape())) {
                difference += sign * along(c.run(adapted.block(), input, true), u);
            }
        }
        return difference / (2 * STEP);
    }

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
        return along(c.run(adapted.block(), x, true), u);
    }

    private static double along(float[] y, float[] u) {
        double sum = 0;
        for (int j = 0; j < y.length; j++) {
            sum += (double) y[j] * u[j];
        }
        return sum;
    }
}
