package io.peft4j.models;

import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptableLinear;
import io.peft4j.adapters.AdaptedModel;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Computes a decoder by kernels whose backward is written by hand, without autograd: less is kept
 * between forward and backward, and a call costs microseconds.
 *
 * <p>It computes what adapters add to linear layers where they can tell it as {@link
 * io.peft4j.adapters.LowRankUpdate}s, and everything else that is frozen. Where a pass has anything
 * else, such as an adapted embedding, a trained bias or a base that is trained itself, {@link
 * #begin} gives nothing, and the pass is left to the blocks and autograd, which compute the same.
 */
final class LayerEngine {

    private final List<Stage> stages;
    private final HeadStage head;
    private final KeptPasses kept;
    private final ActivationMemory activations = new ActivationMemory();
    private volatile boolean enabled = true;
    private volatile @Nullable AdaptableLinear scoreHead;

    LayerEngine(List<Stage> stages, HeadStage head, Collection<Parameter> base) {
        this.stages = List.copyOf(stages);
        this.head = head;
        kept = new KeptPasses(List.copyOf(base));
    }

    /** Frees the memory that a step with backward leaves to the next. */
    void freeStepMemory() {
        activations.free();
    }

    /** Turns the engine on or off. */
    void setEnabled(boolean on) {
        enabled = on;
    }

    /** Sets the head whose weight adapters may replace: {@link ScoreHead} reads it by itself. */
    void setScoreHead(@Nullable AdaptableLinear head) {
        scoreHead = head;
    }

    /**
     * Foretells the memory of a training step.
     *
     * @param size the batch
     * @param hiddenSize the width of the residual stream
     * @param updates what adapters add
     * @return the bytes of activations
     */
    StepMemory memory(StepSize size, long hiddenSize, UpdateShapes updates) {
        List<List<StageMemory>> trained = new ArrayList<>();
        boolean begun = false;
        for (Stage stage : stages) {
            List<StageMemory> memory = stage.memory(size, updates);
            begun |= !memory.equals(stage.memory(size, (group, layer) -> List.of()));
            if (begun) { // below, nothing is kept
                trained.add(memory);
            }
        }
        return new StepMemory(
                size.activation(hiddenSize), head.memory(size, updates), trained, size.cpu());
    }

    /**
     * Reads the adapters of a pass.
     *
     * @param weights how parameters are read
     * @return the pass, to close; null if it is for autograd
     */
    @Nullable EnginePass begin(Weights weights) {
        if (!enabled) {
            return null;
        }
        return weights.training() ? read(weights) : kept.of(weights, () -> read(weights));
    }

    private @Nullable EnginePass read(Weights weights) {
        List<StagePass> begun = new ArrayList<>();
        int changed = 0;
        boolean complete = false;
        GroupUpdates headUpdates = null;
        try {
            for (Stage stage : stages) {
                StagePass pass = stage.begin(weights);
                if (pass == null) {
                    return null;
                }
                begun.add(pass);
                changed += pass.changedLayers();
            }
            headUpdates = head.updates(weights);
            if (headUpdates == null) {
                return null;
            }
            changed += headUpdates.changedLayers();
            changed += replacedScoreHeads(weights);
            if (changed != changedWeights(weights)) {
                return null; // something else is adapted
            }
            complete = true;
            return new EnginePass(begun, head, headUpdates, activations);
        } finally {
            if (!complete) {
                begun.forEach(StagePass::close);
                if (headUpdates != null) {
                    headUpdates.close();
                }
            }
        }
    }

    /** Counts the parts of a batch whose adapters have a score head of their own. */
    private int replacedScoreHeads(Weights weights) {
        AdaptableLinear score = scoreHead;
        if (score == null) {
            return 0;
        }
        int replaced = 0;
        for (Weights.Part part : weights.partsOrWhole()) {
            Weights own = part.weights();
            boolean lowRank =
                    score.lowRankUpdates(own.store(), own.device(), own.training()) != null;
            if (!lowRank && AdaptedModel.isChanged(own.store(), score.weight())) {
                replaced++;
            }
        }
        return replaced;
    }

    private static int changedWeights(Weights weights) {
        return weights.partsOrWhole().stream()
                .mapToInt(part -> AdaptedModel.changedWeights(part.weights().store()))
                .sum();
    }
}
