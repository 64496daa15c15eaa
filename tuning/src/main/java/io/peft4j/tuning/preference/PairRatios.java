package io.peft4j.tuning.preference;

/**
 * How much likelier a pair's answers are to the policy than to the reference.
 *
 * @param chosen log π(chosen) − log π_ref(chosen), sums over the answer's tokens
 * @param rejected the same of the other answer
 * @param chosenTokens the tokens of the answer, for losses of means over tokens
 * @param rejectedTokens the same of the other answer
 */
public record PairRatios(double chosen, double rejected, int chosenTokens, int rejectedTokens) {

    /**
     * Returns by how much the policy prefers the better answer, more than the reference does.
     *
     * @return the difference of the ratios
     */
    public double difference() {
        return chosen - rejected;
    }

    /** Returns the ratio of the chosen answer per token. */
    double chosenMean() {
        return chosen / Math.max(1, chosenTokens);
    }

    /** Returns the ratio of the rejected answer per token. */
    double rejectedMean() {
        return rejected / Math.max(1, rejectedTokens);
    }
}
