package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.torch.TextModule;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Causal self-attention with grouped queries (Ainslie et al., arXiv:2305.13245) and rotary
 * positions (Su et al., arXiv:2104.09864, the half-rotated layout); optionally with norms on
 * queries and keys, and a window beyond which tokens do not see.
 */
final class Attention extends NamedBlock {

    private final Projections queryKeyValue;
    private final @Nullable RmsNorm queryNorm;
    private final @Nullable RmsNorm keyNorm;
    private final AdaptableLinear output;
    private final int keyValueHeads;
    private final int headDim;
    private final OptionalInt window;

    Attention(Architecture architecture, LayerShape shape) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        headDim = architecture.headDim();
        keyValueHeads = shape.keyValueHeads();
        window = shape.window();
        long queries = (long) shape.queryHeads() * headDim;
        long keys = (long) keyValueHeads * headDim;
        queryKeyValue =
                new Projections(
                        names.queryKeyValue(),
                        hidden,
                        architecture.biases().queryKeyValue(),
                        queries,
                        keys,
                        keys);
        queryKeyValue.layers().forEach(this::addChildBlock);
        boolean normed = architecture.queryKeyNorm();
        double epsilon = architecture.normEpsilon();
        queryNorm = normed ? addChildBlock(names.queryNorm(), new RmsNorm(headDim, epsilon)) : null;
        keyNorm = normed ? addChildBlock(names.keyNorm(), new RmsNorm(headDim, epsilon)) : null;
        output =
                addChildBlock(
                        names.attentionOutput(),
                        AdaptableLinear.builder()
                                .setFeatures(queries, hidden)
                                .optBias(architecture.biases().attentionOutput())
                                .build());
    }

    /**
     * Describes the attention and the norm before it.
     *
     * @param norm the norm
     * @param number which layer it is in
     * @param shape the layer's sizes
     * @param rotary the rotary positions
     */
    Stage stage(RmsNorm norm, int number, LayerShape shape, RotaryEmbedding rotary) {
        List<Parameter> norms =
                queryNorm == null || keyNorm == null
                        ? List.of(norm.weight())
                        : List.of(norm.weight(), queryNorm.weight(), keyNorm.weight());
        return LayerStage.attention(
                norms,
                queryKeyValue.group(),
                LinearGroup.of(List.of(output)),
                new LayerStage.AttentionShape(number, shape, headDim),
                norm.epsilonValue(),
                rotary.scaling().amplitude());
    }

    NDArray apply(NDManager owner, NDArray x, Pass pass, KeyValueCache.@Nullable Layer cache) {
        try (NDManager scope = owner.newSubManager()) {
            NDList projected = queryKeyValue.apply(scope, x, pass.weights());
            NDList heads = heads(scope, projected, pass, cache);
            NDArray joined = attend(scope, heads, pass, cache);
            NDArray result = pass.weights().linear(output, joined);
            result.attach(owner);
            return result;
        }
    }

    /** Returns rotated queries and keys, and values. */
    private NDList heads(
            NDManager scope, NDList projected, Pass pass, KeyValueCache.@Nullable Layer cache) {
        TextModule kernels = Kernels.DECODER;
        NDArray headCount = Kernels.constant(keyValueHeads);
        NDArray dim = Kernels.constant(headDim);
        NDArray position = cache == null ? Kernels.constant(0) : cache.position();
        NDArray q = projected.get(0);
        NDArray k = projected.get(1);
        NDArray v = projected.get(2);
        if (queryNorm == null || keyNorm == null) {
            return kernels.callList(
                    scope, "heads", q, k, v, headCount, dim, pass.cos(), pass.sin(), position);
        }
        return kernels.callList(
                scope,
                "normed_heads",
                q,
                k,
                v,
                headCount,
                dim,
                pass.cos(),
                pass.sin(),
                position,
                pass.weights().value(queryNorm.weight()),
                pass.weights().value(keyNorm.weight()),
                queryNorm.epsilon());
    }

    private NDArray attend(
            NDManager scope, NDList heads, Pass pass, KeyValueCache.@Nullable Layer cache) {
        TextModule kernels = Kernels.DECODER;
        NDArray q = heads.get(0);
        NDArray k = heads.get(1);
        NDArray v = heads.get(2);
        NDArray headCount = Kernels.constant(keyValueHeads);
        if (cache != null) {
            NDArray width = Kernels.constant(window.orElse(0));
            NDList seen =
                    kernels.callList(
                            scope,
                            "append",
                            k,
                            v,
                            cache.keys(),
                            cache.values(),
                            cache.position(),
                            width);
            k = seen.get(0);
            v = seen.get(1);
        }
        NDArray mask = pass.masks().of(window);
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
