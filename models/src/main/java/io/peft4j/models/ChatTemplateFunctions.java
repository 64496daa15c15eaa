package io.peft4j.models;

import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The functions that transformers adds to Jinja; public for Jinjava only, which finds them so. */
public final class ChatTemplateFunctions {

    private static final Pattern DIRECTIVE = Pattern.compile("%(.)", Pattern.DOTALL);

    private static final Map<String, String> PATTERNS =
            Map.ofEntries(
                    Map.entry("d", "dd"),
                    Map.entry("m", "MM"),
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
                    Map.entry("%", "'%'"));

    private ChatTemplateFunctions() {}

    /**
     * Refuses a conversation.
     *
     * @param message what the template says about it
     * @return never
     * @throws ChatTemplateException always
     */
    public static String raiseException(String message) {
        throw new ChatTemplateException(message);
    }

    /**
     * Formats the present time.
     *
     * @param format Python's {@code strftime} format
     * @return the time, in English
     * @throws ChatTemplateException if the format uses an unknown letter
     */
    public static String formatNow(String format) {
        return format(format, LocalDateTime.now(ZoneId.systemDefault()));
    }

    static String format(String format, LocalDateTime time) {
        return DIRECTIVE
                .matcher(format)
                .replaceAll(match -> Matcher.quoteReplacement(part(match.group(1), time)));
    }

    private static String part(String letter, LocalDateTime time) {
        String pattern = PATTERNS.get(letter);
        if (pattern == null) {
            throw new ChatTemplateException(
                    "strftime_now: expected one of the letters "
                            + String.join("", new TreeSet<>(PATTERNS.keySet()))
                            + " after %, found "
                            + letter);
        }
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
    }
}
