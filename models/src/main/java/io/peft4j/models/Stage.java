package io.peft4j.models;

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
}
