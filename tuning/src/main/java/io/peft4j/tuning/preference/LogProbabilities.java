package io.peft4j.tuning.preference;

import java.util.Arrays;

/** A model's log-probabilities of pairs, sums over the answers' tokens. */
final class LogProbabilities {

    private final double[] chosen;
    private final double[] rejected;

    /**
     * Takes log-probabilities.
     *
     * @param chosen of the better answers
     * @param rejected of the worse ones
     */
    LogProbabilities(double[] chosen, double[] rejected) {
        this.chosen = chosen;
        this.rejected = rejected;
    }

    /** Splits the rows of a batch: all chosen answers, then all rejected ones. */
    static LogProbabilities ofRows(double[] rows) {
        int pairs = rows.length / 2;
        return new LogProbabilities(
                Arrays.copyOf(rows, pairs), Arrays.copyOfRange(rows, pairs, rows.length));
    }

    double[] chosen() {
        return chosen;
    }

    double[] rejected() {
        return rejected;
    }

    /** Chooses some pairs. */
    LogProbabilities of(int[] indexes) {
        return new LogProbabilities(
                Arrays.stream(indexes).mapToDouble(i -> chosen[i]).toArray(),
                Arrays.stream(indexes).mapToDouble(i -> rejected[i]).toArray());
    }
}
