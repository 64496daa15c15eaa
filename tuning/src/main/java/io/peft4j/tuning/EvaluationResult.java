package io.peft4j.tuning;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The losses of a held-out file.
 *
 * @param rows a row per example, in file order
 * @param metrics what else a task tells of them, by name, such as {@code rewards/margins}; where
 *     there are any, a row's loss is the task's own, and counts as one token
 */
public record EvaluationResult(List<Row> rows, Map<String, Double> metrics) {

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

    /** Copies the rows, and the metrics in their order. */
    public EvaluationResult {
        rows = List.copyOf(rows);
        metrics = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    }

    /**
     * The losses of next tokens alone.
     *
     * @param rows a row per example, in file order
     */
    public EvaluationResult(List<Row> rows) {
        this(rows, Map.of());
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
