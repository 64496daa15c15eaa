package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * LoRA at one site: \(W' = W + s B A\).
 *
 * <pre>
 *        x ──────────── W ───────────┐
 *        │                           + ── y
 *        └─ dropout ── A ── B ── ·s ─┘
 * </pre>
 */
final class LoraState implements AdapterState {

    private final LowRankPair pair;

    LoraState(LowRankPair pair) {
        this.pair = pair;
    }

    LowRankPair pair() {
        return pair;
    }

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        parameters.put("lora_A.weight", pair.a());
        parameters.put("lora_B.weight", pair.b());
        return parameters;
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        try (NDArray delta = pair.delta(weight, store, training)) {
            return weight.add(delta);
        }
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        if (training && pair.dropout() > 0) {
            try (NDArray dropped =
                    Dropout.dropout(x, (float) pair.dropout(), true).singletonOrThrow()) {
                return pair.apply(dropped, store, true);
            }
        }
        return pair.apply(x, store, training);
    }

    @Override
    public double dropout() {
        return pair.dropout();
    }

    @Override
    public OptionalInt rank() {
        return OptionalInt.of(pair.rank());
    }

    @Override
    public OptionalDouble scaling() {
        return OptionalDouble.of(pair.scaling());
    }

    @Override
    public void close() {
        pair.close();
    }
}
