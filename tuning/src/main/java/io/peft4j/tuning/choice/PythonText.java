package io.peft4j.tuning.choice;

import java.util.Locale;

/** Texts as Python's {@code str} treats them, which lm-evaluation-harness is written with. */
final class PythonText {

    private PythonText() {}

    /** {@code len}: code points. */
    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    /** {@code strip}. */
    static String strip(String text) {
        int start = 0;
        int end = stripped(text);
        while (start < end && isSpace(text.charAt(start))) {
            start++;
        }
        return text.substring(start, end);
    }

    /** Returns where the white space at the end of a text begins. */
    static int stripped(String text) {
        int end = text.length();
        while (end > 0 && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return end;
    }

    /** {@code capitalize}: the first letter is made large, and all others small. */
    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int end = Character.charCount(text.codePointAt(0));
        return title(text.codePointAt(0)) + text.substring(end).toLowerCase(Locale.ROOT);
    }

    /** Some letters, such as ß and ligatures, become several, of which the first is large. */
    private static String title(int letter) {
        String large = Character.toString(letter).toUpperCase(Locale.ROOT);
        return length(large) > 1
                ? large.substring(0, 1) + large.substring(1).toLowerCase(Locale.ROOT)
                : Character.toString(Character.toTitleCase(letter));
    }

    // Java's white space is Python's but for four characters, of which it excludes the last three
    // because no line is broken at them
    private static boolean isSpace(char c) {
        return Character.isWhitespace(c)
                || c == '\u0085'
                || c == '\u00a0'
                || c == '\u2007'
                || c == '\u202f';
    }
}
