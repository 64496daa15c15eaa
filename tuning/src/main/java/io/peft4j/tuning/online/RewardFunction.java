package io.peft4j.tuning.online;

import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Judges answers: a program that can verify them, a reward model, or anything else. It is called by
 * one thread at a time.
 */
@FunctionalInterface
public interface RewardFunction {

    /**
     * Judges some answers.
     *
     * @param completions the answers; those to one prompt lie side by side
     * @return a finite reward for each, in their order; the larger, the better
     */
    double[] rewards(List<Completion> completions);

    /**
     * Refuses a prompt whose answers it could not judge, as where the row does not say what is
     * right; is asked before anything is sampled.
     *
     * @param prompt the prompt
     * @throws RewardException if it could not; the message says what the row must have
     */
    default void check(Prompt prompt) {}

    /**
     * Tells what decides its rewards, beside the answers, for a resumed run to compare.
     *
     * @return the same text for the same rewards; nothing unless a function says so
     */
    default String settings() {
        return "";
    }

    /**
     * Makes a function that looks at each answer alone.
     *
     * @param reward the reward of one
     * @return the function
     */
    static RewardFunction each(ToDoubleFunction<Completion> reward) {
        return completions -> completions.stream().mapToDouble(reward).toArray();
    }
}
