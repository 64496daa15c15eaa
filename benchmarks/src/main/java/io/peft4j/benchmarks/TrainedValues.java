package io.peft4j.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.Adapter;
import io.peft4j.torch.Tensors;
import java.util.SplittableRandom;

/**
 * Gives new adapters values such as training leaves: a new one's B is zero, and changes nothing.
 */
final class TrainedValues {

    private static final double DEVIATION = 0.01;

    private TrainedValues() {}

    static void give(Adapter... adapters) {
        SplittableRandom random = new SplittableRandom(3);
        for (Adapter adapter : adapters) {
            adapter.parameters()
                    .forEach(
                            (key, parameter) -> {
                                if (key.contains("lora_B")) {
                                    fill(parameter.getArray(), random);
                                }
                            });
        }
    }

    private static void fill(NDArray target, SplittableRandom random) {
        float[] values = new float[Math.toIntExact(target.size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (DEVIATION * random.nextGaussian());
        }
        try (NDManager scope = target.getManager().newSubManager()) {
            Tensors.copy(Tensors.of(scope, values, target.getShape()), target);
        }
    }
}
