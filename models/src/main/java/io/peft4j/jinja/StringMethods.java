package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's strings that need no locale and no format. */
final class StringMethods {

    private StringMethods() {}

    /** Returns a method bound to a text, or null if there is none of that name. */
    static @Nullable Function of(String text, String name) {
        return switch (name) {
            case "upper" -> a -> noArguments(a, name, text.toUpperCase(Locale.ROOT));
            case "lower" -> a -> noArguments(a, name, text.toLowerCase(Locale.ROOT));
            case "capitalize" -> a -> noArguments(a, name, capitalized(text));
            case "title" -> a -> noArguments(a, name, titled(text));
            case "strip" -> a -> strip(text, a, name, true, true);
            case "lstrip" -> a -> strip(text, a, name, true, false);
            case "rstrip" -> a -> strip(text, a, name, false, true);
            case "split" -> a -> split(text, a, name, false);
            case "rsplit" -> a -> split(text, a, name, true);
            case "splitlines" -> a -> lines(text, a);
            case "startswith" -> a -> affix(a, name, text::startsWith);
            case "endswith" -> a -> affix(a, name, text::endsWith);
            case "replace" -> a -> replace(text, a);
            case "join" -> a -> join(text, a);
            case "find" -> a -> find(text, a, name, text.indexOf(one(a, name)));
            case "rfind" -> a -> find(text, a, name, text.lastIndexOf(one(a, name)));
            case "index" -> a -> index(text, a, name);
            case "count" -> a -> count(text, one(a, name));
            case "removeprefix" -> a -> withoutPrefix(text, one(a, name));
            case "removesuffix" -> a -> withoutSuffix(text, one(a, name));
            case "isdigit" -> a -> noArguments(a, name, all(text, Character::isDigit));
            case "isalpha" -> a -> noArguments(a, name, all(text, Character::isLetter));
            case "isalnum" -> a -> noArguments(a, name, all(text, Character::isLetterOrDigit));
            case "isspace" -> a -> noArguments(a, name, all(text, Values::isSpace));
            default -> null;
        };
    }

    private static Object noArguments(Arguments arguments, String name, Object result) {
        arguments.bind(name, 0);
        return result;
    }

    private static String one(Arguments arguments, String name) {
        return Values.string(arguments.bind(name, 1, "sub").get(0));
    }

    private static boolean all(String text, IntPredicate kind) {
        return !text.isEmpty() && text.codePoints().allMatch(kind);
    }

    static String capitalized(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return Character.toString(Character.toTitleCase(text.codePointAt(0)))
                + text.substring(first).toLowerCase(Locale.ROOT);
    }

    private static String titled(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            out.appendCodePoint(inWord ? Character.toLowerCase(c) : Character.toTitleCase(c));
            inWord = Character.isLetter(c);
        }
        return out.toString();
    }

    static boolean isSpaceAt(int c) {
        return Values.isSpace(c);
    }

    static String strip(String text, IntPredicate dropped, boolean left, boolean right) {
        int begin = 0;
        int end = text.length();
        while (left && begin < end && dropped.test(text.codePointAt(begin))) {
            begin += Character.charCount(text.codePointAt(begin));
        }
        while (right && end > begin && dropped.test(text.codePointBefore(end))) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(begin, end);
    }

    static String strip(
            String text, Arguments arguments, String name, boolean left, boolean right) {
        Arguments.Bound bound = arguments.bind(name, 0, "chars");
        if (!bound.isGiven(0)) {
            return strip(text, Values::isSpace, left, right);
        }
        String characters = bound.text(0);
        return strip(text, c -> characters.indexOf(c) >= 0, left, right);
    }

    private static Object split(String text, Arguments arguments, String name, boolean fromRight) {
        Arguments.Bound bound = arguments.bind(name, 0, "sep", "maxsplit");
        long limit = Values.integer(bound.get(1, -1L));
        int most = limit < 0 ? Integer.MAX_VALUE : (int) Math.min(limit, Integer.MAX_VALUE - 1);
        if (bound.isGiven(0)) {
            String separator = bound.text(0);
            if (separator.isEmpty()) {
                throw new JinjaException("empty separator");
            }
            return fromRight ? splitRight(text, separator, most) : splitLeft(text, separator, most);
        }
        if (fromRight && most != Integer.MAX_VALUE) {
            throw new JinjaException("rsplit() with maxsplit needs a separator here");
        }
        return splitAtSpace(text, most);
    }

    private static List<Object> splitLeft(String text, String separator, int most) {
        List<Object> parts = new ArrayList<>();
        int from = 0;
        int found = text.indexOf(separator);
        while (found >= 0 && parts.size() < most) {
            parts.add(text.substring(from, found));
            from = found + separator.length();
            found = text.indexOf(separator, from);
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static List<Object> splitRight(String text, String separator, int most) {
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        int found = text.lastIndexOf(separator, end - separator.length());
        while (found >= 0 && parts.size() < most) {
            parts.add(0, text.substring(found + separator.length(), end));
            end = found;
            found =
                    end < separator.length()
                            ? -1
                            : text.lastIndexOf(separator, end - separator.length());
        }
        parts.add(0, text.substring(0, end));
        return parts;
    }

    private static List<Object> splitAtSpace(String text, int most) {
        List<Object> parts = new ArrayList<>();
        String rest = strip(text, Values::isSpace, true, false);
        while (!rest.isEmpty()) {
            int end = 0;
            while (end < rest.length() && !Values.isSpace(rest.codePointAt(end))) {
                end += Character.charCount(rest.codePointAt(end));
            }
            if (parts.size() == most) {
                parts.add(strip(rest, Values::isSpace, false, true));
                break;
            }
            parts.add(rest.substring(0, end));
            rest = strip(rest.substring(end), Values::isSpace, true, false);
        }
        return parts;
    }

    private static Object lines(String text, Arguments arguments) {
        arguments.bind("splitlines", 0);
        List<Object> lines = new ArrayList<>();
        text.lines().forEach(lines::add);
        return lines;
    }

    private static Object affix(
            Arguments arguments, String name, java.util.function.Predicate<String> test) {
        Object affix = arguments.bind(name, 1, "affix").get(0);
        return affix instanceof List<?> any
                ? any.stream().anyMatch(one -> test.test(Values.string(one)))
                : test.test(Values.string(affix));
    }

    static String replace(String text, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("replace", 2, "old", "new", "count");
        long count = bound.isGiven(2) ? Values.integer(bound.get(2)) : -1;
        String old = bound.text(0);
        String by = bound.text(1);
        if (count < 0) {
            return old.isEmpty() ? between(text, by) : text.replace(old, by);
        }
        if (old.isEmpty()) {
            throw new JinjaException("replace() with a count needs a text to replace");
        }
        List<Object> parts = splitLeft(text, old, (int) Math.min(count, Integer.MAX_VALUE - 1));
        return String.join(by, parts.stream().map(Values::text).toList());
    }

    /** Python puts the new text around every character; Java around every char. */
    private static String between(String text, String by) {
        StringBuilder out = new StringBuilder(by);
        text.codePoints().forEach(c -> out.appendCodePoint(c).append(by));
        return out.toString();
    }

    private static Object join(String separator, Arguments arguments) {
        List<Object> parts = Values.elements(arguments.bind("join", 1, "iterable").get(0));
        return String.join(separator, parts.stream().map(Values::string).toList());
    }

    private static Object find(String text, Arguments arguments, String name, int found) {
        arguments.bind(name, 1, "sub");
        return found < 0 ? -1L : (long) text.codePointCount(0, found);
    }

    private static Object index(String text, Arguments arguments, String name) {
        int found = text.indexOf(one(arguments, name));
        if (found < 0) {
            throw new JinjaException("substring not found");
        }
        return (long) text.codePointCount(0, found);
    }

    private static Object count(String text, String part) {
        return part.isEmpty()
                ? Values.length(text) + 1
                : (long) splitLeft(text, part, Integer.MAX_VALUE).size() - 1;
    }

    private static Object withoutPrefix(String text, String prefix) {
        return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
    }

    private static Object withoutSuffix(String text, String suffix) {
        return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
    }
}
