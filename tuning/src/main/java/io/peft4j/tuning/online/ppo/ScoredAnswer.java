package io.peft4j.tuning.online.ppo;

import ai.djl.util.Preconditions;

/**
 * An answer, and what was said of its tokens before anything was learned from it. The arrays are
 * not copied and not to be changed.
 */
final class ScoredAnswer {

    private final double score;
    private final boolean ended;
    private final double[] logProbabilities;
    private final double[] reference;
    private final double[] values;

    /**
     * Makes an answer.
     *
     * @param score how good it is, less what a missing end costs
     * @param ended whether the model ended it
     * @param logProbabilities log π (tokens), when it was sampled
     * @param reference log π_ref (tokens)
     * @param values V (tokens), each before its token
     */
    ScoredAnswer(
            double score,
            boolean ended,
            double[] logProbabilities,
            double[] reference,
            double[] values) {
        Preconditions.checkArgument(
                logProbabilities.length > 0
                        && reference.length == logProbabilities.length
                        && values.length == logProbabilities.length,
                "expected one number of each kind for each of "
                        + logProbabilities.length
                        + " tokens, one at least, found "
                        + reference.length
                        + " of the reference and "
                        + values.length
                        + " values");
        this.score = score;
        this.ended = ended;
        this.logProbabilities = logProbabilities;
        this.reference = reference;
        this.values = values;
    }

    int tokens() {
        return values.length;
    }

    double score() {
        return score;
    }

    boolean ended() {
        return ended;
    }

    double logProbability(int token) {
        return logProbabilities[token];
    }

    double reference(int token) {
        return reference[token];
    }

    double value(int token) {
        return values[token];
    }

    double[] values() {
        return values;
    }
}
