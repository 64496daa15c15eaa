package io.peft4j.models;

/**
 * How large a batch is, and what it is computed in and with.
 *
 * @param rows B
 * @param length S, the tokens of a row
 * @param element the bytes of an activation's element
 * @param cpu whether the CPU computes
 * @param product what computes products with base weights
 */
record StepSize(long rows, long length, int element, boolean cpu, MatrixProduct product) {

    static final int FLOAT = 4;

    /** Returns T, the tokens of the batch. */
    long tokens() {
        return rows * length;
    }

    /** Returns the bytes of activations (T, width). */
    long activation(long width) {
        return tokens() * width * element;
    }

    /** Returns the bytes of (T, width) in float32, however activations are kept. */
    long wide(long width) {
        return tokens() * width * FLOAT;
    }

    /** Returns what the sum over tokens of (T, width) in float32 copies first. */
    long summed(long width) {
        return cpu && isNarrow() ? wide(width) : 0;
    }

    boolean isNarrow() {
        return element < FLOAT;
    }

    /** Returns the same with other rows, as those of a chunk. */
    StepSize of(long otherTokens) {
        return new StepSize(1, otherTokens, element, cpu, product);
    }
}
