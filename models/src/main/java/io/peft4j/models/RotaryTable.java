package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/**
 * Cosines and sines of all positions, made again twice as long when a longer sequence comes.
 *
 * <p>A table that was replaced lives on until the model is closed, since another thread may be
 * reading it; together they are less than twice the last one.
 */
final class RotaryTable {

    private static final int FIRST = 256;

    private final Architecture architecture;
    private NDList current = new NDList();
    private int positions;

    RotaryTable(Architecture architecture) {
        this.architecture = architecture;
    }

    /**
     * Returns cosines and sines, (positions, D/2) each, for at least this many positions.
     *
     * @param length how many positions
     * @param model a weight of the model: the tables are on its device and belong to its manager
     */
    synchronized NDList of(int length, NDArray model) {
        if (length > positions) {
            int grown = FIRST;
            while (grown < length) {
                grown *= 2;
            }
            positions = Math.min(grown, Math.max(length, architecture.contextLength()));
            current =
                    Kernels.DECODER.callList(
                            model.getManager(),
                            "rotary_table",
                            Kernels.constant(positions),
                            Kernels.constant(architecture.headDim()),
                            Kernels.constant(architecture.ropeTheta()),
                            model);
        }
        return current;
    }
}
