package io.peft4j.tuning.online.judges;

import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers as people write them: {@code 1,234}, {@code $5}, {@code -.5}, {@code 20%}. */
final class Decimal {

    private static final Pattern IN_TEXT =
            Pattern.compile(
                    "(?:(?<!\\w)[-+])?\\$?"
                            + "(?:(?:\\d{1,3}(?:,\\d{3})+(?!\\d)|\\d+)(?:\\.\\d+)?|\\.\\d+)");

    private static final Pattern WHOLE =
            Pattern.compile("([-+]?)\\s*\\$?\\s*([-+]?)([\\d,]*(?:\\.\\d*)?)\\s*%?");

    private static final int LONGEST = 100; // digits

    private Decimal() {}

    /** Reads a text that is one number; the percent sign does not change it. */
    static Optional<BigDecimal> of(String text) {
        Matcher number = WHOLE.matcher(text.strip());
        if (!number.matches() || (!number.group(1).isEmpty() && !number.group(2).isEmpty())) {
            return Optional.empty();
        }
        String digits = number.group(3).replace(",", "");
        if (digits.length() > LONGEST || digits.chars().noneMatch(Character::isDigit)) {
            return Optional.empty();
        }
        BigDecimal value = new BigDecimal(digits);
        boolean negative = (number.group(1) + number.group(2)).equals("-");
        return Optional.of(negative ? value.negate() : value);
    }

    /** Returns the numbers that stand in a text, in order. */
    static List<BigDecimal> in(String text) {
        return IN_TEXT.matcher(text).results().flatMap(m -> of(m.group()).stream()).toList();
    }
}
