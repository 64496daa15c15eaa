package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.Provenance;

/** Tells whether an adapter changes nothing yet, so that the base model alone is the same. */
final class FreshAdapter {

    /** What rounding leaves of a change that is zero, as of DoRA's m ⊙ W / ‖W‖. */
    private static final float ROUNDING = 1e-6f;

    private FreshAdapter() {}

    /**
     * Tells whether an adapter is fresh. If in doubt it is not: a copy of it is right for any.
     *
     * @param adapter an adapter that is not merged
     */
    static boolean is(Adapter adapter) {
        Provenance provenance = adapter.provenance();
        boolean untrained =
                provenance.created().isPresent()
                        && provenance.entries().keySet().stream()
                                .noneMatch(key -> key.startsWith("training."));
        return untrained
                && adapter.states().keySet().stream().allMatch(path -> isSmall(adapter, path));
    }

    private static boolean isSmall(Adapter adapter, String path) {
        NDManager owner = adapter.parameters().values().iterator().next().getArray().getManager();
        try (NDManager scope = owner.newSubManager()) {
            NDArray change = adapter.delta(scope, path);
            return change.abs().max().getFloat() <= ROUNDING;
        }
    }
}
