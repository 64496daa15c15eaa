package io.peft4j.models;

import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.LoadReport;
import io.peft4j.adapters.SavedAdapter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The two matrices of a low-rank adapter, row by row, of one expert or of all experts of a layer.
 *
 * <p>PEFT lays those of all experts out so that an expert is the slowest axis of A's rows and the
 * fastest of B's columns: A (E·r, in) is A.reshape(E, r, in), B (out, r·E) is B.reshape(out, r, E).
 */
final class LowRankMatrices {

    static final String A = "lora_A.weight";
    static final String B = "lora_B.weight";

    /** Ranks serve both halves of the rows. */
    static final int SHARED = -1;

    /** Nothing serves anything. */
    static final int ALL_ZERO = -2;

    private final float[] a;
    private final float[] b;
    private final int rank;
    private final int in;
    private final int out;

    /**
     * Keeps the matrices.
     *
     * @param a A (rank, in)
     * @param b B (out, rank)
     * @param rank r, or E·r of all experts together
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

    int in() {
        return in;
    }

    int out() {
        return out;
    }

    /**
     * The sizes of a pair.
     *
     * @param rank the rows of A and columns of B
     * @param in the columns of A
     * @param out the rows of B
     */
    record Shapes(int rank, int in, int out) {}

    /**
     * Tells the sizes of a saved pair.
     *
     * @param prefix what the names of both begin with
     * @throws AdapterMismatchException if one is missing, or they do not go together
     */
    static Shapes shapes(SavedAdapter saved, String prefix) throws AdapterMismatchException {
        SavedAdapter.Tensor a = saved.tensors().get(prefix + A);
        SavedAdapter.Tensor b = saved.tensors().get(prefix + B);
        if (a == null || b == null) {
            List<String> missing = new ArrayList<>(List.of(prefix + A, prefix + B));
            missing.removeAll(saved.tensors().keySet());
            throw new AdapterMismatchException(
                    saved.source(), new LoadReport(missing, List.of(), List.of()));
        }
        List<Long> ofA = a.shape();
        List<Long> ofB = b.shape();
        if (ofA.size() != 2 || ofB.size() != 2 || !ofA.get(0).equals(ofB.get(1))) {
            String found = prefix + A + " " + ofA + " and lora_B.weight " + ofB;
            throw new AdapterMismatchException(
                    saved.source(),
                    new LoadReport(
                            List.of(),
                            List.of(),
                            List.of(found + ": expected [r, in] and [out, r]")));
        }
        return new Shapes(
                Math.toIntExact(ofA.get(0)),
                Math.toIntExact(ofA.get(1)),
                Math.toIntExact(ofB.get(0)));
    }

    /** Reads a saved pair, with the errors of {@link #shapes}. */
    static LowRankMatrices read(SavedAdapter saved, String prefix) throws IOException {
        Shapes shapes = shapes(saved, prefix);
        return new LowRankMatrices(
                values(saved, prefix + A),
                values(saved, prefix + B),
                shapes.rank(),
                shapes.in(),
                shapes.out());
    }

    /** Makes sure that a pair has the sizes that the settings say. */
    void requireShapes(SavedAdapter saved, String prefix, int expectedRank, int columns, int rows)
            throws AdapterMismatchException {
        if (rank != expectedRank || in != columns || out != rows) {
            String expected =
                    new Shape(expectedRank, columns) + " and " + new Shape(rows, expectedRank);
            String found = new Shape(rank, in) + " and " + new Shape(out, rank);
            String what = prefix + "lora_A.weight and lora_B.weight: expected ";
            throw new AdapterMismatchException(
                    saved.source(),
                    new LoadReport(
                            List.of(), List.of(), List.of(what + expected + ", found " + found)));
        }
    }

    private static float[] values(SavedAdapter saved, String key) throws IOException {
        return Objects.requireNonNull(saved.tensors().get(key)).values().read();
    }

    /** Adds both matrices to an adapter, by PEFT's names. */
    void writeTo(Map<String, SavedAdapter.Tensor> tensors, String prefix) {
        long rows = a.length / in;
        tensors.put(prefix + A, new SavedAdapter.Tensor(List.of(rows, (long) in), () -> a));
        long columns = b.length / out;
        tensors.put(prefix + B, new SavedAdapter.Tensor(List.of((long) out, columns), () -> b));
    }

    /** Takes the experts of a layer, whose ranks together are the rank here, apart. */
    List<LowRankMatrices> experts(int count) {
        List<LowRankMatrices> experts = new ArrayList<>();
        int ofOne = rank / count;
        int size = ofOne * in;
        for (int e = 0; e < count; e++) {
            float[] columns = new float[out * ofOne];
            for (int i = 0; i < columns.length; i++) {
                columns[i] = b[i * count + e];
            }
            experts.add(
                    new LowRankMatrices(
                            Arrays.copyOfRange(a, e * size, (e + 1) * size),
                            columns,
                            ofOne,
                            in,
                            out));
        }
        return experts;
    }

    /** Puts the experts of a layer, of equal shapes, together. */
    static LowRankMatrices together(List<LowRankMatrices> experts) {
        LowRankMatrices first = experts.get(0);
        int count = experts.size();
        int size = first.a.length;
        float[] a = new float[count * size];
        float[] b = new float[count * first.b.length];
        for (int e = 0; e < count; e++) {
            System.arraycopy(experts.get(e).a, 0, a, e * size, size);
            for (int i = 0; i < first.b.length; i++) {
                b[i * count + e] = experts.get(e).b[i];
            }
        }
        return new LowRankMatrices(a, b, count * first.rank, first.in, first.out);
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

    /**
     * Tells which of the ranks serve the upper half of the rows, if the first of them serve the
     * upper half alone and the rest the lower half alone, in all pairs.
     *
     * @return how many do, half of them if that is possible; {@link #SHARED} if ranks serve both
     *     halves, {@link #ALL_ZERO} if no rank serves any
     */
    static int ranksOfUpperHalf(List<LowRankMatrices> pairs) {
        int rank = pairs.get(0).rank;
        int least = 0; // the last that serves the upper half, and one more
        int most = rank; // the first that serves the lower half
        for (LowRankMatrices pair : pairs) {
            for (int i = 0; i < pair.b.length; i++) {
                boolean used = pair.b[i] != 0;
                boolean upper = i / rank < pair.out / 2;
                least = used && upper ? Math.max(least, i % rank + 1) : least;
                most = used && !upper ? Math.min(most, i % rank) : most;
            }
        }
        if (least == 0 && most == rank) {
            return ALL_ZERO;
        }
        boolean halves = rank % 2 == 0 && least <= rank / 2 && rank / 2 <= most;
        int upper = halves ? rank / 2 : Math.max(least, 1);
        return upper <= most && upper < rank ? upper : SHARED;
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
