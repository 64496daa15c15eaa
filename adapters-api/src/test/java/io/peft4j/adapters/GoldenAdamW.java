package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;

/** torch's AdamW as the makers of the goldens use it: lr 1e-2, betas 0.9, 0.999, eps 1e-8. */
final class GoldenAdamW {

    private final Map<String, Parameter> parameters;
    private final Map<String, double[]> means = new LinkedHashMap<>();
    private final Map<String, double[]> squares = new LinkedHashMap<>();
    private int steps;

    GoldenAdamW(Map<String, Parameter> parameters) {
        this.parameters = parameters;
    }

    /** Moves the parameters by their gradients, and zeroes these. */
    void step() {
        steps++;
        parameters.forEach(this::step);
    }

    private void step(String key, Parameter parameter) {
        NDArray array = parameter.getArray();
        float[] values = array.toFloatArray();
        float[] gradient = array.getGradient().toFloatArray();
        double[] mean = means.computeIfAbsent(key, k -> new double[values.length]);
        double[] square = squares.computeIfAbsent(key, k -> new double[values.length]);
        for (int i = 0; i < values.length; i++) {
            mean[i] = 0.9 * mean[i] + 0.1 * gradient[i];
            square[i] = 0.999 * square[i] + 0.001 * gradient[i] * gradient[i];
            double size = Math.sqrt(square[i] / (1 - Math.pow(0.999, steps))) + 1e-8;
            values[i] -= (float) (1e-2 * mean[i] / (1 - Math.pow(0.9, steps)) / size);
        }
        Tensors.copy(array.getManager().create(values, array.getShape()), array);
        Gradients.zero(array);
    }
}
