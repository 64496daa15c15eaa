package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.LowRankUpdate;
import io.peft4j.adapters.WeightChange;
import io.peft4j.torch.DropoutMask;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * LoRA at one site: \(W' = W + s B A\).
 *
 * <pre>
 *        x ──────────── W ───────────┐
 *        │                           + ── y
 *        └─ dropout ── A ── B ── ·s ─┘
 * </pre>
 *
 * A pair that started from a part of the weight adds what it has gained since, see {@link
 * LoraInit}.
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
            try (NDArray dropped = DropoutMask.drop(x, DropoutMask.drawSeed(), dropout())) {
                return pair().apply(x, dropped, store, true);
            }
        }
        return pair().apply(x, store, training);
    }

    @Override
    public @Nullable LowRankUpdate lowRankUpdate(
            NDArray weight, ParameterStore store, boolean training) {
        return pair().update(weight.getDevice(), store, training, null);
    }

    @Override
    public NDArray embeddingUpdate(
            NDArray ids, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return pair().rows(ids, store, training);
    }

    @Override
    public NDArray tiedUpdate(
            NDArray h, NDArray base, NDArray weight, ParameterStore store, boolean training) {
        return pair().applyTied(h, store, training);
    }

    @Override
    public @Nullable WeightChange mergeInto(NDArray weight, ParameterStore store, boolean write) {
        return pair().mergeInto(LowRankPair.KERNELS, weight, List.of(), store, write);
    }

    @Override
    public boolean computesInBaseType() {
        return true;
    }

    /** The pair of the tied linear layer is this one the other way round. */
    @Override
    public Map<String, String> tiedKeys() {
        return parameters().containsKey("lora_embedding_A")
                ? Map.of("lora_A.weight", "lora_embedding_B", "lora_B.weight", "lora_embedding_A")
                : Map.of();
    }
}
