package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import java.util.Arrays;

/** The tokens of a batch that a score head is asked about. */
final class ScoredTokens {

    private final int rows;
    private final int columns;
    private final long[] positions;

    private ScoredTokens(int rows, int columns, long[] positions) {
        this.rows = rows;
        this.columns = columns;
        this.positions = positions;
    }

    /**
     * Reads marks that lie over their tokens.
     *
     * @param ids (B, S)
     * @param wanted (B, S), 1 for the tokens to score and 0 for others
     */
    static ScoredTokens of(NDArray ids, NDArray wanted) {
        long[] marks = TokenChecks.read("marks of wanted tokens", wanted);
        TokenChecks.requireShape("marks of wanted tokens", ids.getShape(), wanted.getShape());
        int columns = Math.toIntExact(wanted.getShape().get(1));
        long[] positions = new long[marks.length];
        int count = 0;
        for (int i = 0; i < marks.length; i++) {
            if (marks[i] == 1) {
                positions[count++] = i;
            } else if (marks[i] != 0) {
                throw new InvalidTokensException(
                        "expected 1 for wanted tokens and 0 for others, found "
                                + marks[i]
                                + " in row "
                                + i / columns
                                + ", position "
                                + i % columns);
            }
        }
        return new ScoredTokens(marks.length / columns, columns, Arrays.copyOf(positions, count));
    }

    int count() {
        return positions.length;
    }

    /** Returns where they lie, flat in (B, S). */
    NDArray positions(NDManager owner) {
        return Tensors.of(owner, positions, new Shape(positions.length));
    }

    /** Returns what is said of them, in their order. */
    HeadScores scores(float[] values) {
        int[] rowOf = new int[positions.length];
        for (int i = 0; i < rowOf.length; i++) {
            rowOf[i] = (int) (positions[i] / columns);
        }
        return new HeadScores(rows, rowOf, values);
    }
}
