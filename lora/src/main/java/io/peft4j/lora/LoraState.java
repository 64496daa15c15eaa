package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.ParameterStore;

/**
 * LoRA at one site: \(W' = W + s B A\).
 *
 * <pre>
 *        x ──────────── W ───────────┐
 *        │                           + ── y
 *        └─ dropout ── A ── B ── ·s ─┘
 * </pre>
 */
final class LoraState extends LowRankState {

    LoraState(LowRankPair pair) {
        super(pair);
    }

    @Override
    public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
        try (NDArray delta = pair().delta(weight, store, training)) {
            return weight.add(delta);
        }
    }

    @Override
    public NDArray linearUpdate(
            NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        if (training && dropout() > 0) {
            try (NDArray dropped = Dropout.dropout(x, (float) dropout(), true).singletonOrThrow()) {
                return pair().apply(dropped, store, true);
            }
        }
        return pair().apply(x, store, training);
    }

    @Override
    public NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return pair().rows(ids, store, training);
    }
}
