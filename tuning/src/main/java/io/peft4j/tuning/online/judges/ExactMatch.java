package io.peft4j.tuning.online.judges;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;

/**
 * 1 where the completion is what the row has as {@code answer}, or else as {@code completion}, but
 * for space around it; else 0.
 */
public final class ExactMatch implements RewardFunction {

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream()
                .mapToDouble(one -> one.text().strip().equals(expected(one.prompt())) ? 1 : 0)
                .toArray();
    }

    @Override
    public void check(Prompt prompt) {
        String unused = expected(prompt);
    }

    private static String expected(Prompt prompt) {
        return ExpectedAnswer.of(prompt, "exact_match").strip();
    }
}
