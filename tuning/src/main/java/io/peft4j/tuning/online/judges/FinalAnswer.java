package io.peft4j.tuning.online.judges;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.RewardFunction;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * 1 where the final answer is the row's, else 0.
 *
 * <p>The row's is what stands in {@code answer}, or else in {@code completion}; of a worked
 * solution it is what follows its last {@code ####}, as GSM8K has it. The final answer of a
 * completion is what follows its last {@code ####}, else what its last {@code \boxed{…}} holds, and
 * else all of it. Where the right answer is a number, it is the first number of such a place, and
 * the last of all.
 *
 * <p>Numbers are compared as numbers: 1,234 is 1234.00, and dollar and percent signs do not count.
 * Other answers are compared as texts without regard to case, space around them, or a full stop
 * behind.
 */
public final class FinalAnswer implements RewardFunction {

    private static final String MARK = "####";
    private static final String BOX = "\\boxed{";

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream()
                .mapToDouble(one -> isRight(one.text(), expected(one.prompt())) ? 1 : 0)
                .toArray();
    }

    @Override
    public void check(Prompt prompt) {
        String unused = expected(prompt);
    }

    private static String expected(Prompt prompt) {
        String answer = ExpectedAnswer.of(prompt, "final_answer");
        return marked(answer).orElse(answer);
    }

    private static boolean isRight(String completion, String expected) {
        Optional<BigDecimal> number = Decimal.of(withoutStop(expected));
        Optional<String> given = marked(completion).or(() -> boxed(completion));
        if (number.isEmpty()) {
            return plain(given.orElse(completion)).equals(plain(expected));
        }
        List<BigDecimal> numbers = Decimal.in(given.orElse(completion));
        return !numbers.isEmpty()
                && numbers.get(given.isPresent() ? 0 : numbers.size() - 1).compareTo(number.get())
                        == 0;
    }

    /** What follows the last mark, to the end of its line. */
    private static Optional<String> marked(String text) {
        int at = text.lastIndexOf(MARK);
        return at < 0
                ? Optional.empty()
                : Optional.of(
                        text.substring(at + MARK.length()).strip().lines().findFirst().orElse(""));
    }

    /** What the last box holds; braces inside it come in pairs. */
    private static Optional<String> boxed(String text) {
        int from = text.lastIndexOf(BOX);
        if (from < 0) {
            return Optional.empty();
        }
        from += BOX.length();
        int open = 1;
        for (int i = from; i < text.length(); i++) {
            open += text.charAt(i) == '{' ? 1 : text.charAt(i) == '}' ? -1 : 0;
            if (open == 0) {
                return Optional.of(text.substring(from, i));
            }
        }
        return Optional.empty();
    }

    private static String plain(String text) {
        return withoutStop(text).replaceAll("\\s+", " ").toLowerCase(Locale.ROOT);
    }

    private static String withoutStop(String text) {
        String stripped = text.strip();
        return stripped.endsWith(".")
                ? stripped.substring(0, stripped.length() - 1).strip()
                : stripped;
    }
}
