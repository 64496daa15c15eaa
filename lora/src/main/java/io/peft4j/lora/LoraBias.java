package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import java.util.Map;

/** A bias of B, PEFT's {@code lora_bias}: \(b' = b + s \, b_B\), zero at the start. */
final class LoraBias implements AdapterState {

    private final Parameter bias;
    private final NDArray scale;

    LoraBias(long out, double scaling, NDManager owner) {
        bias =
                Parameter.builder()
                        .setName("lora_B_bias")
                        .setType(Parameter.Type.OTHER)
                        .optShape(new Shape(out))
                        .optInitializer((m, s, type) -> m.zeros(s, DataType.FLOAT32))
                        .build();
        bias.initialize(owner, DataType.FLOAT32);
        scale = owner.create(scaling);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of("lora_B.bias", bias);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        return LowRankPair.KERNELS.call(
                weight.getManager(),
                "biased",
                weight,
                store.getValue(bias, weight.getDevice(), training),
                scale);
    }

    @Override
    public void close() {
        bias.close();
        scale.close();
    }
}
