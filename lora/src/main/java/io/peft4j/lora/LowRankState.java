package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdapterState;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** The state of a method that rests on a {@link LowRankPair}, and owns it. */
public abstract class LowRankState implements AdapterState {

    private final LowRankPair pair;

    /**
     * Takes a pair.
     *
     * @param pair the pair; closed with the state
     */
    protected LowRankState(LowRankPair pair) {
        this.pair = pair;
    }

    /**
     * Returns the pair.
     *
     * @return A, B and their scaling
     */
    public LowRankPair pair() {
        return pair;
    }

    @Override
    public Map<String, Parameter> parameters() {
        return pair.parameters();
    }

    @Override
    public double dropout() {
        return pair.dropout();
    }

    @Override
    public OptionalInt rank() {
        return OptionalInt.of(pair.rank());
    }

    @Override
    public OptionalDouble scaling() {
        return OptionalDouble.of(pair.scaling());
    }

    @Override
    public void weightChanged(NDArray weight) {
        pair.weightChanged(weight);
    }

    @Override
    public void close() {
        pair.close();
    }
}
