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
    private final boolean together;

    /**
     * Collects figures.
     *
     * @param hidden the hidden states (B, S, H)
     * @param head what the head makes
     * @param layers the stages of each layer that backward comes to
     * @param together whether what layers keep is given back together, at the end, unless they are
     *     computed again, see {@link ActivationMemory}; else each is freed by its backward
     */
    StepMemory(long hidden, long head, List<List<StageMemory>> layers, boolean together) {
        this.hidden = hidden;
        this.head = head;
        this.layers = layers.stream().map(List::copyOf).toList();
        this.together = together;
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
     * gradient that it passes on among it; with checkpointing also all that it computes again.
     *
     * @param checkpointing whether layers keep their inputs alone
     * @return bytes
     */
    public long largestLayer(boolean checkpointing) {
        long most = 0;
        for (List<StageMemory> stages : layers) {
            most =
                    Math.max(
                            most,
                            backward(stages, checkpointing) - (checkpointing ? 0 : kept(stages)));
        }
        return hidden + most;
    }

    /** What a layer holds at most in backward, what it keeps among it. */
    private long backward(List<StageMemory> stages, boolean checkpointing) {
        long all = kept(stages);
        long most = all;
        long kept = 0;
        for (StageMemory stage : stages) {
            kept += stage.kept();
            boolean freed = checkpointing || !together;
            most = Math.max(most, (freed ? kept : all) + stage.backward());
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
     * Returns the most that lives at once: the head's on top of all that is kept, or a layer's on
     * top of what it and those that have freed nothing keep.
     *
     * @param checkpointing whether layers keep their inputs alone
     * @return bytes
     */
    public long peak(boolean checkpointing) {
        long most = kept(checkpointing) + head;
        long before = hidden; // what the layers below keep, and the input of the one at hand
        for (List<StageMemory> stages : layers) {
            // the last hidden states live as long as the pass
            long others =
                    checkpointing || !together
                            ? before + hidden
                            : kept(checkpointing) - kept(stages);
            long gradient = hidden;
            most = Math.max(most, others + backward(stages, checkpointing) + gradient);
            before += checkpointing ? hidden : kept(stages);
        }
        return most;
    }
}
