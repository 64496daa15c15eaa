package io.peft4j.tuning.online.judges;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;
import java.util.regex.Pattern;

/**
 * 1 where a regular expression is found in the completion, else 0; {@code ^} and {@code $} hold it
 * to the whole.
 *
 * @param pattern the expression, with Java's syntax; {@code (?s)} at its start has the dot match
 *     line ends
 */
public record PatternMatch(Pattern pattern) implements RewardFunction {

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream()
                .mapToDouble(one -> pattern.matcher(one.text()).find() ? 1 : 0)
                .toArray();
    }

    @Override
    public String settings() {
        return pattern.pattern() + " " + pattern.flags();
    }
}
