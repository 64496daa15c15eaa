package io.peft4j.models;

import ai.djl.util.Preconditions;

/**
 * What the score head says of some tokens of a batch: one number for each, a reward of the text so
 * far or a value. Tokens are counted from 0, row by row.
 */
public final class HeadScores {

    private final int rows;
    private final int[] rowOf;
    private final float[] values;

    /**
     * Makes scores.
     *
     * @param rows the rows of the batch
     * @param rowOf the row of each token, from 0
     * @param values the score of each token
     */
    public HeadScores(int rows, int[] rowOf, float[] values) {
        Preconditions.checkArgument(
                rowOf.length == values.length,
                "expected a score for each of " + rowOf.length + " tokens, found " + values.length);
        this.rows = rows;
        this.rowOf = rowOf;
        this.values = values;
    }

    /**
     * Returns the rows of the batch.
     *
     * @return their number
     */
    public int rows() {
        return rows;
    }

    /**
     * Returns how many tokens have a score.
     *
     * @return N
     */
    public int count() {
        return rowOf.length;
    }

    /**
     * Returns the row of a token.
     *
     * @param token from 0 to N − 1
     * @return the row, from 0
     */
    public int rowOf(int token) {
        return rowOf[token];
    }

    /**
     * Returns the score of a token.
     *
     * @param token from 0 to N − 1
     * @return what the head says of it
     */
    public float score(int token) {
        return values[token];
    }
}
