package io.peft4j.models;

/**
 * What a model says of the labelled tokens of a batch, each seen from the token before it, at the
 * temperature that was asked for. Tokens are counted from 0, row by row; the first token of a row
 * is never among them.
 */
public final class TokenScores {

    private static final int COLUMNS = 4;

    private final int rows;
    private final int[] rowOf;
    private final float[] values;

    private TokenScores(int rows, int[] rowOf, float[] values) {
        this.rows = rows;
        this.rowOf = rowOf;
        this.values = values;
    }

    /** Reads what {@code token_scores.ts} tells, (N, 4). */
    static TokenScores of(Labels labels, float[] values) {
        int[] rowOf = new int[labels.count()];
        for (int i = 0; i < rowOf.length; i++) {
            rowOf[i] = labels.rowOf(i);
        }
        return new TokenScores(labels.rows(), rowOf, values);
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
     * Returns how many tokens have a label.
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
     * Returns the log-probability of a token.
     *
     * @param token from 0 to N − 1
     * @return log p of its label
     */
    public float logProbability(int token) {
        return values[COLUMNS * token];
    }

    /**
     * Returns how unsure the model is of a token.
     *
     * @param token from 0 to N − 1
     * @return the entropy of the distribution that it was taken from, in nats
     */
    public float entropy(int token) {
        return values[COLUMNS * token + 1];
    }

    /**
     * Returns the mean of a token's logits.
     *
     * @param token from 0 to N − 1
     * @return the mean over the vocabulary
     */
    public float meanLogit(int token) {
        return values[COLUMNS * token + 2];
    }

    /**
     * Tells whether the model would have said a token itself.
     *
     * @param token from 0 to N − 1
     * @return whether no other has a larger logit
     */
    public boolean isLikeliest(int token) {
        return values[COLUMNS * token + 3] == 1;
    }

    /**
     * Adds the log-probabilities up by row.
     *
     * @return per row, the sum of log p of its labelled tokens; 0 where there are none
     */
    public double[] rowSums() {
        double[] sums = new double[rows];
        for (int i = 0; i < rowOf.length; i++) {
            sums[rowOf[i]] += logProbability(i);
        }
        return sums;
    }
}
