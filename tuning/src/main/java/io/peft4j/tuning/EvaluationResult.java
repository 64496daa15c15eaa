package io.peft4j.tuning;

import java.util.List;

/**
 * The losses of a held-out file.
 *
 * @param rows a row per example, in file order
 */
public record EvaluationResult(List<Row> rows) {

    /**
     * One example's share.
     *
     * @param sum the sum of −log p over its labelled next tokens
     * @param tokens how many those are
     */
    public record Row(double sum, int tokens) {
        /**
         * Returns the example's mean loss.
         *
         * @return the mean over its labelled next tokens; 0 if there are none
         */
        public double loss() {
            return tokens == 0 ? 0 : sum / tokens;
        }
    }

    /** Copies the rows. */
    public EvaluationResult {
        rows = List.copyOf(rows);
    }

    /**
     * Counts the labelled next tokens.
     *
     * @return their number in all rows
     */
    public long tokens() {
        return rows.stream().mapToLong(Row::tokens).sum();
    }

    /**
     * Returns the mean loss.
     *
     * @return the sum over all labelled next tokens divided by their count
     */
    public double loss() {
        return rows.stream().mapToDouble(Row::sum).sum() / tokens();
    }

    /**
     * Returns the perplexity.
     *
     * @return the exponential of the mean loss
     */
    public double perplexity() {
        return Math.exp(loss());
    }
}
