package io.peft4j.models;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A part of a layer, in which backward is not left to autograd, or whose autograd ends with it. */
interface Stage {

    /**
     * Reads what adapters add in a pass.
     *
     * @param weights how parameters are read
     * @return the stage in this pass, to close; null if an adapter does what it cannot compute
     */
    @Nullable StagePass begin(Weights weights);

    /**
     * Foretells the memory of a training step.
     *
     * @param size the batch
     * @param updates what adapters add
     * @return one figure per part that is computed and freed by itself, in order; of experts, whose
     *     tokens are not known before, the most that they may take
     */
    List<StageMemory> memory(StepSize size, UpdateShapes updates);
}
