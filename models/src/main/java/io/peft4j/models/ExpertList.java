package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The experts of a layer; their names are their numbers. */
final class ExpertList extends NamedBlock {

    private final List<GatedFeedForward> experts = new ArrayList<>();
    private final boolean biased;

    ExpertList(Architecture architecture, LayerShape shape, int count) {
        biased = architecture.biases().feedForward();
        for (int i = 0; i < count; i++) {
            experts.add(
                    addChildBlock(Integer.toString(i), new GatedFeedForward(architecture, shape)));
        }
    }

    /** Describes the experts for a {@link MixtureStage}; null if they are left to autograd. */
    @Nullable List<MixtureStage.Expert> describe() {
        return biased ? null : experts.stream().map(GatedFeedForward::expert).toList();
    }

    /**
     * Runs each expert on its tokens.
     *
     * @param scope owns the results
     * @param tokens (N, H)
     * @param rows (N k), which tokens, those of the first expert first
     * @param counts (experts), how many each has
     * @return the results (n, H) of the experts that have tokens, in order
     */
    NDList apply(NDManager scope, NDArray tokens, NDArray rows, NDArray counts, Weights weights) {
        long[] lengths = counts.toLongArray();
        if (Arrays.stream(lengths).sum() == 0) {
            return new NDList();
        }
        NDList parts = MixtureOfExperts.KERNELS.callList(scope, "dispatch", tokens, rows, counts);
        NDList results = new NDList();
        for (int i = 0; i < lengths.length; i++) {
            if (lengths[i] > 0) {
                NDArray part = parts.get(results.size());
                results.add(experts.get(i).apply(scope, part, weights, null));
            }
        }
        return results;
    }

    /** Refuses to run alone: which tokens go where is the router's to say. */
    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        throw new UnsupportedOperationException(
                "experts run through the block that holds their router");
    }
}
