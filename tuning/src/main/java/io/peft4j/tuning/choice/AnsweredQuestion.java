package io.peft4j.tuning.choice;

import ai.djl.util.Preconditions;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/**
 * What a model says of a question.
 *
 * @param question the question
 * @param scores log p of each choice's continuation
 */
public record AnsweredQuestion(Question question, List<Double> scores) {

    /** Copies the scores and checks them. */
    public AnsweredQuestion {
        scores = List.copyOf(scores);
        Preconditions.checkArgument(
                scores.size() == question.choices().size(),
                "expected a score for each of "
                        + question.choices().size()
                        + " choices, found "
                        + scores.size());
        Preconditions.checkArgument(
                scores.stream().noneMatch(score -> score.isNaN()),
                "expected log-probabilities, found NaN: the weights of the model or of the adapter"
                        + " hold something that is no number");
    }

    /**
     * Returns the likeliest choice.
     *
     * @return its index; the first of several
     */
    public int chosen() {
        return largest(scores::get);
    }

    /**
     * Returns the likeliest choice per character.
     *
     * @return the index of the largest score divided by its choice's length; the first of several
     */
    public int chosenByLength() {
        return largest(i -> scores.get(i) / question.choices().get(i).length());
    }

    private int largest(IntToDoubleFunction value) {
        int best = 0;
        for (int i = 1; i < scores.size(); i++) {
            best = value.applyAsDouble(i) > value.applyAsDouble(best) ? i : best;
        }
        return best;
    }
}
