package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One layer: h = x + attention(norm(x)); h + feedForward(norm(h)). */
final class DecoderLayer extends NamedBlock {

    private final Attention attention;
    private final FeedForward feedForward;
    private final RmsNorm feedForwardNorm;
    private final RmsNorm attentionNorm;

    DecoderLayer(Architecture architecture, LayerShape shape) {
        ModuleNames names = architecture.names();
        int hidden = architecture.hiddenSize();
        double epsilon = architecture.normEpsilon();
        attention = addChildBlock(names.attention(), new Attention(architecture, shape));
        feedForward = addChildBlock(names.feedForward(), FeedForward.of(architecture, shape));
        feedForwardNorm = addChildBlock(names.feedForwardNorm(), new RmsNorm(hidden, epsilon));
        attentionNorm = addChildBlock(names.attentionNorm(), new RmsNorm(hidden, epsilon));
    }

    /** Describes the layer for a {@link LayerEngine}; null if it is left to autograd. */
    @Nullable Stage stage(int number, LayerShape shape, RotaryEmbedding rotary) {
        Stage second = feedForward.stage(feedForwardNorm);
        return second == null
                ? null
                : new StageSequence(
                        List.of(attention.stage(attentionNorm, number, shape, rotary), second));
    }

    NDArray apply(NDManager owner, NDArray x, Pass pass, KeyValueCache.@Nullable Layer cache) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray attended =
                    attention.apply(
                            scope, attentionNorm.apply(scope, x, pass.weights()), pass, cache);
            NDArray h = attended.add(x); // in scope: a result belongs to its first operand's owner
            NDArray fed =
                    feedForward.apply(
                            scope,
                            feedForwardNorm.apply(scope, h, pass.weights()),
                            pass.weights(),
                            pass.routing());
            NDArray result = fed.add(h);
            result.attach(owner);
            return result;
        }
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
