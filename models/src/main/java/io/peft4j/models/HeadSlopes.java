package io.peft4j.models;

import ai.djl.util.Preconditions;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The slopes that an objective gives once it is told the scores. */
final class HeadSlopes implements UnaryOperator<float[]> {

    private final ScoredTokens tokens;
    private final HeadObjective objective;
    private @Nullable HeadScores told;

    HeadSlopes(ScoredTokens tokens, HeadObjective objective) {
        this.tokens = tokens;
        this.objective = objective;
    }

    ScoredTokens tokens() {
        return tokens;
    }

    /**
     * Asks the objective.
     *
     * @param values the scores
     * @return the derivative of the loss by each
     */
    @Override
    public float[] apply(float[] values) {
        HeadScores scores = tokens.scores(values);
        told = scores;
        float[] slopes = objective.slopes(scores);
        Preconditions.checkArgument(
                slopes.length == tokens.count(),
                "expected " + tokens.count() + " slopes, found " + slopes.length);
        return slopes;
    }

    /** Returns what the objective was told. It is told of a batch without wanted tokens, too. */
    HeadScores scores() {
        if (told == null) {
            apply(new float[0]);
        }
        return Objects.requireNonNull(told);
    }
}
