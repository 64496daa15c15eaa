package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.Preconditions;
import io.peft4j.torch.Tensors;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Factors that an objective gives once it is told the log-probabilities. */
final class ObjectiveFactors implements LossFactors {

    private final Labels labels;
    private final TokenObjective objective;
    private @Nullable TokenScores told;

    ObjectiveFactors(Labels labels, TokenObjective objective) {
        this.labels = labels;
        this.objective = objective;
    }

    @Override
    public NDArray of(NDManager owner, Supplier<float[]> scores) {
        float[] slopes = ask(scores.get());
        Preconditions.checkArgument(
                slopes.length == labels.count(),
                "expected " + labels.count() + " slopes, found " + slopes.length);
        float[] factors = new float[slopes.length];
        for (int i = 0; i < factors.length; i++) {
            factors[i] = -slopes[i]; // a token's loss is −log p
        }
        return Tensors.of(owner, factors, new Shape(factors.length));
    }

    @Override
    public double temperature() {
        return objective.temperature();
    }

    private float[] ask(float[] values) {
        TokenScores scores = TokenScores.of(labels, values);
        told = scores;
        return objective.slopes(scores);
    }

    /** Returns what the objective was told. It is told of a batch without labels, too. */
    TokenScores scores() {
        if (told == null) {
            ask(new float[0]);
        }
        return Objects.requireNonNull(told);
    }
}
