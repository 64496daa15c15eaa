package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.TextModule;
import java.util.HashMap;
import java.util.Map;

/**
 * Cosines and sines of all positions, made again twice as long when a longer sequence comes.
 *
 * <p>A table that was replaced lives on until the model is closed, since another thread may be
 * reading it; together they are less than twice the last one.
 */
final class RotaryTable {

    private static final int FIRST = 256;

    private final RotaryEmbedding rotary;
    private final int contextLength;
    private final Map<Integer, NDList> tables = new HashMap<>(); // by the scaling's regime

    RotaryTable(Architecture architecture) {
        rotary = architecture.rotary();
        contextLength = architecture.contextLength();
    }

    /**
     * Returns cosines and sines, (positions, D/2) each, for at least this many positions.
     *
     * @param length the length of the text, so how many positions
     * @param model a weight of the model: the tables are on its device and belong to its manager
     */
    synchronized NDList of(int length, NDArray model) {
        int regime = rotary.scaling().regime(length);
        NDList known = tables.get(regime);
        if (known == null || known.head().getShape().get(0) < length) {
            known = table(positions(length), regime, model);
            tables.put(regime, known);
        }
        return known;
    }

    private int positions(int length) {
        int grown = FIRST;
        while (grown < length) {
            grown *= 2;
        }
        return Math.min(grown, Math.max(length, contextLength));
    }

    private NDList table(int positions, int regime, NDArray model) {
        TextModule kernels = RotaryScaling.KERNELS;
        try (GradMode off = GradMode.disabled();
                NDManager scope = model.getManager().newSubManager()) {
            NDArray powers =
                    kernels.call(
                            scope,
                            "powers",
                            Kernels.constant(rotary.dimensions()),
                            Kernels.constant(rotary.theta()),
                            model);
            return kernels.callList(
                    model.getManager(),
                    "table",
                    rotary.scaling().frequencies(scope, powers, regime),
                    Kernels.constant(positions),
                    Kernels.constant(rotary.scaling().amplitude()));
        }
    }
}
