package io.peft4j.models;

import ai.djl.Device;
import io.peft4j.safetensors.Dtype;

/**
 * What a model is kept and computed in, where, and what multiplies with its weights.
 *
 * @param type F32, BF16 or F16
 * @param device where the weights are
 * @param product what computes products with them in the layers' kernels
 */
public record Computation(Dtype type, Device device, MatrixProduct product) {

    /**
     * Describes what this machine does.
     *
     * @param type F32, BF16 or F16
     * @param device where the weights would be
     * @return the computation, with the product that a model chooses here
     */
    public static Computation of(Dtype type, Device device) {
        return new Computation(type, device, MatrixProduct.of(WeightTypes.of(type), device));
    }

    StepSize step(int rows, int length) {
        return new StepSize(rows, length, Math.toIntExact(type.bytes()), !device.isGpu(), product);
    }
}
