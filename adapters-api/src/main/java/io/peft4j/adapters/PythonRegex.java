package io.peft4j.adapters;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * A regular expression in Python's syntax (3.11), as PEFT's configurations hold them.
 *
 * <p>{@link PythonRegexTranslator} rewrites it for Java. A match that takes more than a million
 * steps is refused, so that an expression from a downloaded adapter cannot hang the program.
 */
final class PythonRegex {

    private static final int MAX_STEPS = 1_000_000;
    private static final int SHOWN = 200;

    private final String python;
    private final Pattern pattern;
    private final Map<String, String> groups;

    private PythonRegex(String python, Pattern pattern, Map<String, String> groups) {
        this.python = python;
        this.pattern = pattern;
        this.groups = groups;
    }

    static PythonRegex compile(String python) {
        try {
            PythonRegexTranslator translator = new PythonRegexTranslator(python);
            // as in Python: only \n ends a line, and \d, \w, \s and ignored case are Unicode's
            return new PythonRegex(
                    python,
                    Pattern.compile(
                            translator.translate(),
                            Pattern.UNIX_LINES | Pattern.UNICODE_CHARACTER_CLASS),
                    translator.groups());
        } catch (PatternSyntaxException e) {
            throw new AdapterConfigException(
                    "expected a regular expression in Python's syntax, found \""
                            + shortened(python)
                            + "\": "
                            + e.getDescription(),
                    e);
        }
    }

    private static String shortened(String python) {
        return python.length() <= SHOWN ? python : python.substring(0, SHOWN) + "…";
    }

    /** Python's {@code re.fullmatch}. */
    boolean matchesWhole(String text) {
        return run(text, Matcher::matches);
    }

    /** Python's {@code re.match}: at the start, not necessarily to the end. */
    boolean matchesStart(String text) {
        return run(text, Matcher::lookingAt);
    }

    /** A match at the start that can be asked for its groups, or null. */
    @Nullable Matcher matchAtStart(String text) {
        Matcher matcher = pattern.matcher(new CountedText(text));
        return run(matcher, Matcher::lookingAt) ? matcher : null;
    }

    /** The text of the group {@code (?P<name>…)}, or null if it took no part in the match. */
    @Nullable String group(Matcher match, String name) {
        return match.group(groups.getOrDefault(name, name));
    }

    private boolean run(String text, Search search) {
        return run(pattern.matcher(new CountedText(text)), search);
    }

    private boolean run(Matcher matcher, Search search) {
        try {
            return search.in(matcher);
        } catch (StackOverflowError | TooManySteps e) {
            throw new AdapterConfigException(
                    "expected a regular expression that decides quickly, found \""
                            + shortened(python)
                            + "\", which backtracks without end",
                    e);
        }
    }

    @Override
    public String toString() {
        return python;
    }

    private interface Search {
        boolean in(Matcher matcher);
    }

    private static final class TooManySteps extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** A text that counts how often the matcher looks at it. */
    private static final class CountedText implements CharSequence {
        private final String text;
        private int steps;

        CountedText(String text) {
            this.text = text;
        }

        @Override
        public char charAt(int index) {
            if (++steps > MAX_STEPS) {
                throw new TooManySteps();
            }
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
