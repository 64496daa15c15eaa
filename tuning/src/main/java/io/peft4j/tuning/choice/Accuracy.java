package io.peft4j.tuning.choice;

import ai.djl.util.Preconditions;
import java.util.OptionalDouble;

/**
 * How many questions were answered rightly.
 *
 * @param right how many
 * @param questions of how many
 * @param standardError of the share, as a sample of questions; empty for a single question
 */
public record Accuracy(int right, int questions, OptionalDouble standardError) {

    /** Checks the numbers. */
    public Accuracy {
        Preconditions.checkArgument(
                questions > 0 && right >= 0 && right <= questions,
                "expected from 0 to all of one question at least, found "
                        + right
                        + " of "
                        + questions);
    }

    /** Makes it of independent questions: √(p (1 − p) / (n − 1)). */
    static Accuracy of(int right, int questions) {
        double share = (double) right / questions;
        return new Accuracy(
                right,
                questions,
                questions == 1
                        ? OptionalDouble.empty()
                        : OptionalDouble.of(Math.sqrt(share * (1 - share) / (questions - 1))));
    }

    /**
     * Pools parts, each with a variance of its own, as lm-evaluation-harness does for MMLU: √(Σ (n
     * − 1) n e² / (N − k) / N) for k parts of n questions and standard error e, N questions in all.
     */
    static Accuracy pooled(Iterable<Accuracy> parts) {
        int right = 0;
        int questions = 0;
        int count = 0;
        double sum = 0;
        boolean known = true;
        for (Accuracy part : parts) {
            right += part.right;
            questions += part.questions;
            count++;
            known &= part.standardError.isPresent();
            double error = part.standardError.orElse(0);
            sum += (part.questions - 1.0) * part.questions * error * error;
        }
        return new Accuracy(
                right,
                questions,
                known
                        ? OptionalDouble.of(Math.sqrt(sum / (questions - count) / questions))
                        : OptionalDouble.empty());
    }

    /**
     * Returns the share of right answers.
     *
     * @return a number from 0 to 1
     */
    public double value() {
        return (double) right / questions;
    }
}
