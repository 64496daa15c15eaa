package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.torch.TextModule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A sparse mixture of feed-forward networks (Jiang et al., arXiv:2401.04088): a router scores all
 * experts for each token; the best few compute, weighted by the softmax over all experts, scaled so
 * that the weights of the chosen add up to one.
 *
 * <p>The tokens are sorted by expert, and each expert runs once, on its own tokens. So does the
 * adapter of an expert; an expert that no token was sent to computes nothing, and neither it nor
 * its adapter gets a gradient. No token is dropped, however many choose the same expert.
 */
final class MixtureOfExperts extends FeedForward {

    static final TextModule KERNELS = TextModule.resource(MixtureOfExperts.class, "experts.ts");

    private final AdaptableLinear router;
    private final ExpertList experts;
    private final int perToken;

    MixtureOfExperts(Architecture architecture, LayerShape shape, Experts described) {
        perToken = described.perToken();
        router =
                addChildBlock(
                        described.router(),
                        AdaptableLinear.builder()
                                .setFeatures(architecture.hiddenSize(), described.count())
                                .build());
        experts =
                addChildBlock(
                        described.list(), new ExpertList(architecture, shape, described.count()));
    }

    @Override
    @Nullable Stage stage(RmsNorm norm) {
        List<MixtureStage.Expert> described = experts.describe();
        return described == null
                ? null
                : new MixtureStage(
                        norm.weight(),
                        norm.epsilonValue(),
                        LinearGroup.of(List.of(router)),
                        described,
                        perToken);
    }

    @Override
    NDArray apply(NDManager owner, NDArray x, Weights weights, @Nullable Routing routing) {
        try (NDManager scope = owner.newSubManager()) {
            NDArray tokens = KERNELS.call(scope, "tokens", x); // (N, H)
            NDArray scores = weights.linear(router, tokens); // (N, experts)
            scores.attach(scope);
            NDList routes = routes(scope, scores, routing == null ? null : routing.tokens());
            NDList results = experts.apply(scope, tokens, routes.get(1), routes.get(2), weights);
            NDArray sum = sum(owner, results, routes, x);
            if (routing != null) {
                routing.add(scores);
            }
            return sum;
        }
    }

    /**
     * Returns weights and tokens, one per chosen expert and sorted by it, and the experts' counts.
     */
    private NDList routes(NDManager scope, NDArray scores, @Nullable NDArray tokens) {
        NDArray chosen = Kernels.constant(perToken);
        return tokens == null
                ? KERNELS.callList(scope, "route", scores, chosen)
                : KERNELS.callList(scope, "route_tokens", scores, chosen, tokens);
    }

    private static NDArray sum(NDManager owner, NDList results, NDList routes, NDArray x) {
        if (results.isEmpty()) {
            return KERNELS.call(owner, "nothing", x); // a batch of padding alone
        }
        return KERNELS.callLists(
                        owner, "combine", List.of(results), routes.get(0), routes.get(1), x)
                .singletonOrThrow();
    }
}
