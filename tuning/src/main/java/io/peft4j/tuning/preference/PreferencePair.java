package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.Example;

/**
 * Two answers to one prompt. Where answers' tokens are learned, the labels are the answer's tokens,
 * and the prompt has none; a reward model learns of the whole, and labels do not matter.
 *
 * @param chosen the prompt with the better answer
 * @param rejected the prompt with the worse answer
 * @param margin by how much the better answer's reward is to be the greater at least, for a reward
 *     model; 0 if the data do not say
 */
public record PreferencePair(Example chosen, Example rejected, double margin) {

    /** Checks the margin. */
    public PreferencePair {
        Preconditions.checkArgument(
                Double.isFinite(margin), "expected a finite margin, found " + margin);
    }

    /**
     * Makes a pair without a margin.
     *
     * @param chosen the prompt with the better answer
     * @param rejected the prompt with the worse answer
     */
    public PreferencePair(Example chosen, Example rejected) {
        this(chosen, rejected, 0);
    }

    /**
     * Returns how long the pair is in a batch.
     *
     * @return the tokens of the longer one
     */
    public int length() {
        return Math.max(chosen.length(), rejected.length());
    }

    /**
     * Counts the tokens of an answer, as TRL does for means over tokens: one that nothing stands
     * before is counted, though it cannot be predicted.
     *
     * @param example one of the two
     * @return its labels
     */
    static int answerTokens(Example example) {
        int count = 0;
        for (long label : example.labels()) {
            count += label == Example.IGNORED ? 0 : 1;
        }
        return count;
    }
}
