package io.peft4j.models;

import ai.djl.nn.Parameter;
import io.peft4j.torch.TorchValue;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The last norm and the output head, by the kernels of {@code head.ts}. */
final class HeadStage {

    private final LinearGroup group;
    private final List<Parameter> norms;
    private final double epsilon;
    private @Nullable StageTensors tensors;

    HeadStage(Parameter norm, LinearGroup group, double epsilon) {
        norms = List.of(norm);
        this.group = group;
        this.epsilon = epsilon;
    }

    /**
     * Reads what adapters add in a pass. Dropout of a head's input is not for these kernels.
     *
     * @return the updates, or null if they cannot be told as such
     */
    @Nullable GroupUpdates updates(Weights weights) {
        GroupUpdates updates = group.updates(weights);
        if (updates != null && updates.isDropping()) {
            updates.close();
            return null;
        }
        return updates;
    }

    /** Foretells what the kernel makes of a batch; the weights need no values. */
    long memory(StepSize size, UpdateShapes updates) {
        GroupSize sizes = group.size(updates);
        return KernelMemory.head(size, sizes.in(), sizes.out(), sizes);
    }

    synchronized StageTensors tensors() {
        StageTensors now = StageTensors.of(tensors, norms, List.of(group));
        tensors = now;
        return now;
    }

    /** Returns epsilon, and what logits are divided by. */
    TorchValue numbers(double temperature) {
        return TorchValue.ofDoubles(epsilon, temperature);
    }
}
