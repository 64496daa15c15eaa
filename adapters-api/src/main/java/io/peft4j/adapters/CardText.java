package io.peft4j.adapters;

import com.google.gson.JsonPrimitive;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Puts texts that a stranger may have chosen into a model card, so that they stand there as they
 * are: in YAML, in Markdown, and in the string literals of its programs.
 */
final class CardText {

    /** What YAML reads as the text that it is, without quotes. */
    private static final Pattern PLAIN =
            Pattern.compile("[A-Za-z][A-Za-z0-9._/-]*(:[A-Za-z0-9._/-]+)*");

    /** What YAML 1.1 reads as something else than a text. */
    private static final Set<String> WORDS =
            Set.of("true", "false", "yes", "no", "on", "off", "y", "n", "null");

    private static final Pattern TICKS = Pattern.compile("`+");

    private CardText() {}

    /** Returns a YAML scalar, quoted where it must be. */
    static String yaml(String text) {
        String clean = Provenance.clean(text);
        if (PLAIN.matcher(clean).matches() && !WORDS.contains(clean.toLowerCase(Locale.ROOT))) {
            return clean;
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < clean.length(); i++) {
            char c = clean.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c == '\ufeff' || c >= '\ufffe') { // not in a YAML stream
                quoted.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    /** Returns a Markdown code span, in which nothing has a meaning. */
    static String code(String text) {
        String clean = Provenance.clean(text);
        if (clean.isBlank()) {
            return clean.isEmpty() ? "(empty)" : "(blank)"; // no code span can be
        }
        int longest = 0;
        Matcher ticks = TICKS.matcher(clean);
        while (ticks.find()) {
            longest = Math.max(longest, ticks.group().length());
        }
        String fence = "`".repeat(longest + 1);
        String space = longest > 0 || clean.startsWith(" ") ? " " : "";
        return fence + space + clean + space + fence;
    }

    /** Returns a code span for a table, where a bar would end the cell even so. */
    static String cell(String text) {
        return code(text).replace("|", "\\|");
    }

    /** Returns a string literal that Java and Python read alike. */
    static String literal(String text) {
        return new JsonPrimitive(Provenance.clean(text)).toString();
    }
}
