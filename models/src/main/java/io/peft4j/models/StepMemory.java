package io.peft4j.models;

import java.util.List;

/**
 * The bytes of activations in a training step that goes by layer kernels, foretold from shapes: a
 * batch without padding in which every token but the first of a row has a label. Weights, adapters,
 * gradients and optimizer are not among them. Which experts of a mixture tokens go to is not known
 * before: their layers are told as if all went to the same.
 */
public final class StepMemory {

    private final long hidden;
    private final long head;
    private final List<List<StageMemory>> layers;

    /**
     * Collects figures.
     *
     * @param hidden the hidden states (B, S, H)
     * @param head what the head makes
     * @param layers the stages of each layer that backward comes to
     */
    StepMemory(long hidden, long head, List<List<StageMemory>> layers) {
        this.hidden = hidden;
        this.head = head;
        this.layers = layers.stream().map(List::copyOf).toList();
    }

    /**
     * Returns what is kept between forward and backward.
     *
     * @param checkpointing whether layers keep their inputs alone
     * @return bytes
     */
    public long kept(boolean checkpointing) {
        return checkpointing
                ? hidden * (layers.size() + 1)
                : hidden + layers.stream().mapToLong(StepMemory::kept).sum();
    }

    private static long kept(List<StageMemory> stages) {
        return stages.stream().mapToLong(StageMemory::kept).sum();
    }

    /**
     * Returns what the backward of one layer takes on top, in the layer that takes most, the
     * gradient that it passes on among it; with checkpointing all that the layer computes again is
     * among it.
     *
     * @param checkpointing whether layers keep their inputs alone
     * @return bytes
     */
    public long largestLayer(boolean checkpointing) {
        return hidden
                + layers.stream()
                        .mapToLong(checkpointing ? StepMemory::again : StepMemory::backward)
                        .max()
                        .orElse(0);
    }

    /** What a layer makes at most in backward. */
    private static long backward(List<StageMemory> stages) {
        return stages.stream().mapToLong(StageMemory::backward).max().orElse(0);
    }

    /** What a layer that is computed again holds at most in backward. */
    private static long again(List<StageMemory> stages) {
        long most = kept(stages);
        long kept = 0;
        for (StageMemory stage : stages) {
            kept += stage.kept();
            most = Math.max(most, kept + stage.backward());
        }
        return most;
    }

    /**
     * Returns what the head takes on top, with the logits of a chunk.
     *
     * @return bytes
     */
    public long head() {
        return head;
    }

    /**
     * Returns the most that lives at once: the head's on top of all that is kept, or a layer's. The
     * memory of what layers keep is given back when all are done; if they are computed again, each
     * frees what is its own.
     *
     * @param checkpointing whether layers keep their inputs alone
     * @return bytes
     */
    public long peak(boolean checkpointing) {
        return kept(checkpointing) + Math.max(head, largestLayer(checkpointing));
    }
}
