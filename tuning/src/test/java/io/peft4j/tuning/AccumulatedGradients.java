package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import java.util.Map;

/** Makes autograd accumulate given numbers: the gradient of sum(p · g) is g. */
final class AccumulatedGradients {

    private AccumulatedGradients() {}

    static void of(Map<String, Parameter> parameters, JsonObject gradients) {
        for (Map.Entry<String, JsonElement> entry : gradients.entrySet()) {
            if (!entry.getValue().isJsonNull()) {
                of(parameters.get(entry.getKey()), GoldenJson.floats(entry.getValue()));
            }
        }
    }

    static void of(Parameter parameter, float... gradient) {
        NDArray array = parameter.getArray();
        try (GradMode recording = GradMode.enabled();
                NDManager scope = array.getManager().newSubManager()) {
            NDArray factor = scope.create(gradient, array.getShape());
            Gradients.backward(factor.mul(array).sum());
        }
    }
}
