package io.peft4j.cli;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;

/**
 * A reward function with the hash of the file that it came from, for a resumed run to compare.
 *
 * @param function the function
 * @param settings the hash, and what the function tells itself
 */
record IdentifiedReward(RewardFunction function, String settings) implements RewardFunction {

    @Override
    public double[] rewards(List<Completion> completions) {
        return function.rewards(completions);
    }

    @Override
    public void check(Prompt prompt) {
        function.check(prompt);
    }
}
