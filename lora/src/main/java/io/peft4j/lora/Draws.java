package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;

/** Random tensors, FLOAT32, that a seed alone decides. */
final class Draws {

    private Draws() {}

    static NDArray normal(NDManager owner, Shape shape, double deviation, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return fill(owner, shape, () -> random.nextGaussian() * deviation);
    }

    static NDArray uniform(NDManager owner, Shape shape, double bound, long seed) {
        float[] values = new float[Math.toIntExact(shape.size())];
        Uniform.fill(values, bound, seed);
        return Tensors.of(owner, values, shape);
    }

    private static NDArray fill(NDManager owner, Shape shape, DoubleSupplier next) {
        float[] values = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) next.getAsDouble();
        }
        return Tensors.of(owner, values, shape);
    }
}
