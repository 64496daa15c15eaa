package io.peft4j.models;

import ai.djl.nn.Parameter;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The second half of a layer with experts, by the kernels of {@code mixture.ts}: one call routes
 * the tokens, and one per expert that has any computes them, forward as backward.
 */
final class MixtureStage implements Stage {

    /** The router's group; those of the experts follow in pairs. */
    static final int ROUTER = 0;

    private final StageLinears linears;
    private final int experts;
    private final int chosen;
    private final TorchValue perToken; // some bytes each, for the life of the process
    private final TorchValue numbers;

    /**
     * Describes the half of a layer.
     *
     * @param norm what the router and the experts see is this norm's result
     * @param epsilon the norm's
     * @param router the projection to one score per expert
     * @param experts gate and up, fused or not, and down of each expert, which has no bias
     * @param perToken how many experts a token is sent to
     */
    MixtureStage(
            Parameter norm,
            double epsilon,
            LinearGroup router,
            List<Expert> experts,
            int perToken) {
        List<LinearGroup> groups = new ArrayList<>(List.of(router));
        for (Expert expert : experts) {
            groups.add(expert.gateUp());
            groups.add(expert.down());
        }
        linears = new StageLinears(List.of(norm), groups);
        this.experts = experts.size();
        chosen = perToken;
        this.perToken = TorchValue.ofLongs(perToken);
        numbers = TorchValue.ofDoubles(epsilon);
    }

    /** The layers of one expert. */
    record Expert(LinearGroup gateUp, LinearGroup down) {}

    /** Returns the group of an expert's gate and up. */
    static int gateUp(int expert) {
        return 1 + 2 * expert;
    }

    /** Returns the group of an expert's down. */
    static int down(int expert) {
        return 2 + 2 * expert;
    }

    @Override
    public @Nullable StagePass begin(Weights weights) {
        if (weights.hasParts()) {
            return null; // an expert's tokens are of any rows
        }
        PassLinears begun = linears.begin(weights);
        return begun == null ? null : new MixtureStagePass(this, begun);
    }

    @Override
    public List<StageMemory> memory(StepSize size, UpdateShapes updates) {
        List<MixtureMemory.Expert> sizes = new ArrayList<>();
        for (int i = 0; i < experts; i++) {
            sizes.add(
                    new MixtureMemory.Expert(
                            linears.size(gateUp(i), updates), linears.size(down(i), updates)));
        }
        return List.of(MixtureMemory.of(size, chosen, linears.size(ROUTER, updates), sizes));
    }

    TorchValue perToken() {
        return perToken;
    }

    TorchValue numbers() {
        return numbers;
    }
}
