package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;

/**
 * Whether libtorch differentiates a model right without any adapter. oneDNN 3.7.1, which libtorch
 * 2.7.1 has, was seen to give wrong gradients by the inputs of small float32 convolutions and of
 * recurrent layers on virtual machines with AMD's Zen 5; nothing behind such a layer can be checked
 * there.
 */
public final class BareGradients {

    private static final float STEP = 2e-3f;
    private static final double TOLERANCE = 0.05; // libtorch was wrong by as much as the gradient

    private BareGradients() {}

    /**
     * Compares the gradient by a model's input with finite differences, adapters disabled.
     *
     * @param adapted the model
     * @param input an input; one of ids has no gradient, and counts as right
     * @return false if libtorch is wrong
     */
    public static boolean areRight(AdaptedModel adapted, NDArray input) {
        if (input.getDataType() != DataType.FLOAT32) {
            return true;
        }
        try (NDManager scope = input.getManager().newSubManager();
                AdapterScope off = adapted.disableAdapter()) {
            float[] values = input.toFloatArray();
            float[] gradient = gradient(adapted, scope, values, input);
            double worst = 0;
            double largest = 0;
            for (int i = 0; i < values.length; i++) {
                double slope = 0;
                for (int sign : new int[] {1, -1}) {
                    float[] moved = values.clone();
                    moved[i] += sign * STEP;
                    slope += sign * sum(adapted, scope, moved, input) / (2 * STEP);
                }
                worst = Math.max(worst, Math.abs(gradient[i] - slope));
                largest = Math.max(largest, Math.abs(slope));
            }
            return worst <= TOLERANCE * largest + 1e-2;
        }
    }

    private static float[] gradient(
            AdaptedModel adapted, NDManager scope, float[] values, NDArray input) {
        try (GradMode on = GradMode.enabled()) {
            NDArray x = Tensors.of(scope, values, input.getShape());
            x.setRequiresGradient(true);
            NDArray y = forward(adapted, scope, x);
            Gradients.backward(y, Tensors.of(scope, directions(y), y.getShape()));
            try (NDArray gradient = x.getGradient()) {
                return gradient.toFloatArray();
            }
        }
    }

    private static double sum(
            AdaptedModel adapted, NDManager scope, float[] values, NDArray input) {
        try (NDManager pass = scope.newSubManager();
                GradMode off = GradMode.disabled()) {
            NDArray y = forward(adapted, pass, Tensors.of(pass, values, input.getShape()));
            float[] results = y.toFloatArray();
            float[] directions = directions(y);
            double sum = 0;
            for (int i = 0; i < results.length; i++) {
                sum += (double) results[i] * directions[i];
            }
            return sum;
        }
    }

    private static NDArray forward(AdaptedModel adapted, NDManager owner, NDArray x) {
        ParameterStore store = new ParameterStore(owner, false);
        return adapted.block().forward(store, new NDList(x), true).head();
    }

    private static float[] directions(NDArray y) {
        float[] directions = new float[Math.toIntExact(y.getShape().size())];
        for (int i = 0; i < directions.length; i++) {
            directions[i] = (float) Math.cos(i);
        }
        return directions;
    }
}
