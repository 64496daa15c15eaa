package io.peft4j.benchmarks;

import java.util.SplittableRandom;

/**
 * What both sides do: optimizer steps of one kind on one batch.
 *
 * @param model the shape's name, such as {@code llama-317m}
 * @param method {@code lora} or {@code dora}
 * @param dtype the type of the base weights, {@code float32} or {@code bfloat16}
 * @param batch rows
 * @param length tokens of each row
 * @param checkpointing whether layers are computed again in backward, {@code on} or {@code off}
 */
record Workload(
        String model, String method, String dtype, int batch, int length, String checkpointing) {

    private static final long SEED = 20_240_601;

    /** Returns the tokens of the batch, the same in each step and on both sides. */
    long[][] tokens(int vocabularySize) {
        SplittableRandom random = new SplittableRandom(SEED);
        long[][] rows = new long[batch][length];
        for (long[] row : rows) {
            for (int i = 0; i < length; i++) {
                row[i] = random.nextLong(vocabularySize);
            }
        }
        return rows;
    }

    @Override
    public String toString() {
        String layers = checkpointing.equals("on") ? " recomputed" : "";
        return model + " " + method + " " + dtype + " " + batch + "x" + length + layers;
    }
}
