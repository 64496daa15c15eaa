package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.torch.TextModule;
import org.jspecify.annotations.Nullable;

/**
 * Causal self-attention with grouped queries (Ainslie et al., arXiv:2305.13245) and rotary
 * positions (Su et al., arXiv:2104.09864, the half-rotated layout); optionally with norms on
 * queries and keys. One fused projection gives all queries, then all keys, then all values.
 */
final class Attention extends NamedBlock {

    private final AdaptableLinear queryKeyValue;
    private final @Nullable RmsNorm queryNorm;
    private final @Nullable RmsNorm keyNorm;
    private final AdaptableLinear output;
    private final int keyValueHeads;

    Attention(Architecture architecture, LayerShape shape) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        int dim = architecture.headDim();
        keyValueHeads = shape.keyValueHeads();
        queryKeyValue =
                addChildBlock(
                        names.queryKeyValue(),
                        AdaptableLinear.builder()
                                .setFeatures(hidden, (long) shape.allHeads() * dim)
                                .build());
        boolean normed = architecture.queryKeyNorm();
        double epsilon = architecture.normEpsilon();
        queryNorm = normed ? addChildBlock(names.queryNorm(), new RmsNorm(dim, epsilon)) : null;
        keyNorm = normed ? addChildBlock(names.keyNorm(), new RmsNorm(dim, epsilon)) : null;
        output =
                addChildBlock(
                        names.attentionOutput(),
                        AdaptableLinear.builder()
                                .setFeatures((long) shape.queryHeads() * dim, hidden)
                                .build());
    }

    NDArray apply(NDManager owner, NDArray x, Pass pass, KeyValueCache.@Nullable Layer cache) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray projected = pass.weights().linear(queryKeyValue, x);
            projected.attach(scope);
            NDList heads = heads(scope, projected, pass, cache);
            NDArray joined = attend(scope, heads, pass, cache);
            NDArray result = pass.weights().linear(output, joined);
            result.attach(owner);
            return result;
        }
    }

    /** Returns rotated queries and keys, and values. */
    private NDList heads(
            NDManager scope, NDArray projected, Pass pass, KeyValueCache.@Nullable Layer cache) {
        TextModule kernels = Kernels.DECODER;
        NDArray headCount = Kernels.constant(keyValueHeads);
        NDArray position = cache == null ? Kernels.constant(0) : cache.position();
        if (queryNorm == null || keyNorm == null) {
            return kernels.callList(
                    scope, "heads", projected, headCount, pass.cos(), pass.sin(), position);
        }
        return kernels.callList(
                scope,
                "normed_heads",
                projected,
                headCount,
                pass.cos(),
                pass.sin(),
                position,
                pass.weights().value(queryNorm.weight()),
                pass.weights().value(keyNorm.weight()),
                queryNorm.epsilon());
    }

    private NDArray attend(
            NDManager scope, NDList heads, Pass pass, KeyValueCache.@Nullable Layer cache) {
        NDArray q = heads.get(0);
        NDArray k = heads.get(1);
        NDArray v = heads.get(2);
        TextModule kernels = Kernels.DECODER;
        NDArray headCount = Kernels.constant(keyValueHeads);
        if (cache != null) {
            return kernels.call(
                    scope,
                    "cached_attention",
                    q,
                    k,
                    v,
                    headCount,
                    cache.keys(),
                    cache.values(),
                    cache.position());
        }
        NDArray mask = pass.mask();
        return mask == null
                ? kernels.call(scope, "causal_attention", q, k, v, headCount)
                : kernels.call(scope, "masked_attention", q, k, v, headCount, mask);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = inputs.head();
        return new NDList(
                apply(x.getManager(), x, Pass.of(parameterStore, inputs, training), null));
    }
}
