package io.peft4j.models;

import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.safetensors.TensorSources;
import java.util.Arrays;
import java.util.Map;

/**
 * The two matrices of a low-rank adapter, row by row, of one expert or of all experts of a layer.
 *
 * <p>PEFT lays those of all experts out so that an expert is the slowest axis of A's rows and the
 * fastest of B's columns: A (E·r, in) is A.reshape(E, r, in), B (out, r·E) is B.reshape(out, r, E).
 */
final class LowRankMatrices {

    private final float[] a;
    private final float[] b;
    private final int rank;
    private final int in;
    private final int out;

    /**
     * Keeps the matrices.
     *
     * @param a A (r, in) or (E·r, in)
     * @param b B (out, r) or (out, r·E)
     * @param rank r, of one expert
     * @param in the columns of A
     * @param out the rows of B
     */
    LowRankMatrices(float[] a, float[] b, int rank, int in, int out) {
        this.a = a;
        this.b = b;
        this.rank = rank;
        this.in = in;
        this.out = out;
    }

    int rank() {
        return rank;
    }

    boolean hasShapeOf(LowRankMatrices other) {
        return rank == other.rank && in == other.in && out == other.out;
    }

    int in() {
        return in;
    }

    int out() {
        return out;
    }

    /** Gives both matrices to a file, by PEFT's names. */
    void writeTo(Map<String, TensorSource> tensors, String prefix) {
        tensors.put(
                prefix + "lora_A.weight", TensorSources.ofFloats(Dtype.F32, a, a.length / in, in));
        tensors.put(
                prefix + "lora_B.weight",
                TensorSources.ofFloats(Dtype.F32, b, out, b.length / out));
    }

    /** Takes one of several experts out. */
    LowRankMatrices expert(int expert, int experts) {
        float[] ofOne = new float[out * rank];
        for (int i = 0; i < ofOne.length; i++) {
            ofOne[i] = b[i * experts + expert];
        }
        int size = rank * in;
        return new LowRankMatrices(
                Arrays.copyOfRange(a, expert * size, (expert + 1) * size), ofOne, rank, in, out);
    }

    /** Puts the experts of a layer, of equal shapes, together. */
    static LowRankMatrices together(LowRankMatrices[] experts) {
        LowRankMatrices first = experts[0];
        int size = first.a.length;
        float[] a = new float[experts.length * size];
        float[] b = new float[experts.length * first.b.length];
        for (int e = 0; e < experts.length; e++) {
            System.arraycopy(experts[e].a, 0, a, e * size, size);
            for (int i = 0; i < first.b.length; i++) {
                b[i * experts.length + e] = experts[e].b[i];
            }
        }
        return new LowRankMatrices(a, b, first.rank, first.in, first.out);
    }

    /** Returns the adapter of some rows of the weight, made of some of the ranks alone. */
    LowRankMatrices part(int firstRow, int rows, int firstRank, int ranks) {
        float[] ofRows = new float[rows * ranks];
        for (int row = 0; row < rows; row++) {
            int from = (firstRow + row) * rank + firstRank;
            System.arraycopy(b, from, ofRows, row * ranks, ranks);
        }
        float[] ofRanks = Arrays.copyOfRange(a, firstRank * in, (firstRank + ranks) * in);
        return new LowRankMatrices(ofRanks, ofRows, ranks, in, rows);
    }

    /** Tells whether the upper rows use the first half of the ranks alone, the lower the second. */
    boolean isBlockDiagonal() {
        for (int i = 0; i < b.length; i++) {
            boolean lower = i / rank >= out / 2;
            boolean second = i % rank >= rank / 2;
            if (lower != second && b[i] != 0) {
                return false;
            }
        }
        return rank % 2 == 0;
    }

    /** Stacks two adapters of the same input: [A1; A2] and the block diagonal of B1 and B2. */
    static LowRankMatrices stacked(LowRankMatrices upper, LowRankMatrices lower) {
        int rank = upper.rank + lower.rank;
        float[] a = Arrays.copyOf(upper.a, upper.a.length + lower.a.length);
        System.arraycopy(lower.a, 0, a, upper.a.length, lower.a.length);
        float[] b = new float[(upper.out + lower.out) * rank];
        for (int row = 0; row < upper.out; row++) {
            System.arraycopy(upper.b, row * upper.rank, b, row * rank, upper.rank);
        }
        for (int row = 0; row < lower.out; row++) {
            int to = (upper.out + row) * rank + upper.rank;
            System.arraycopy(lower.b, row * lower.rank, b, to, lower.rank);
        }
        return new LowRankMatrices(a, b, rank, upper.in, upper.out + lower.out);
    }
}
