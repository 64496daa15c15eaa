package io.peft4j.jinja;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's {@code strftime}, in English. */
final class Strftime {

    private static final Pattern DIRECTIVE = Pattern.compile("%(-?.)", Pattern.DOTALL);

    private static final Map<String, String> PATTERNS =
            Map.ofEntries(
                    Map.entry("d", "dd"),
                    Map.entry("-d", "d"),
                    Map.entry("m", "MM"),
                    Map.entry("-m", "M"),
                    Map.entry("b", "MMM"),
                    Map.entry("B", "MMMM"),
                    Map.entry("y", "yy"),
                    Map.entry("Y", "yyyy"),
                    Map.entry("a", "EEE"),
                    Map.entry("A", "EEEE"),
                    Map.entry("H", "HH"),
                    Map.entry("I", "hh"),
                    Map.entry("M", "mm"),
                    Map.entry("S", "ss"),
                    Map.entry("p", "a"),
                    Map.entry("j", "DDD"),
                    Map.entry("F", "yyyy-MM-dd"),
                    Map.entry("T", "HH:mm:ss"),
                    Map.entry("%", "'%'"));

    private Strftime() {}

    static String format(String format, LocalDateTime time) {
        return DIRECTIVE
                .matcher(format)
                .replaceAll(match -> Matcher.quoteReplacement(part(match.group(1), time)));
    }

    private static String part(String letter, LocalDateTime time) {
        String pattern = PATTERNS.get(letter);
        if (pattern == null) {
            throw new JinjaException(
                    "strftime_now: expected one of "
                            + String.join(" ", new TreeSet<>(PATTERNS.keySet()))
                            + " after %, found "
                            + letter);
        }
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
    }
}
