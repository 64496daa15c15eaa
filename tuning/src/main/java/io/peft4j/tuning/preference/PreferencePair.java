package io.peft4j.tuning.preference;

import io.peft4j.tuning.Example;

/**
 * Two answers to one prompt. In both, the labels are the answer's tokens, and the prompt has none.
 *
 * @param chosen the prompt with the better answer
 * @param rejected the prompt with the worse answer
 */
public record PreferencePair(Example chosen, Example rejected) {

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
