package io.peft4j.adapters;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Rewrites a regular expression from Python's syntax to Java's.
 *
 * <table>
 * <caption>What differs</caption>
 * <tr><td>{@code (?P<n>x)}, {@code (?P=n)}</td><td>{@code (?<n>x)}, {@code \k<n>}; names with {@code
 *     _} get another</td></tr>
 * <tr><td>{@code \Z}, {@code \v}, {@code \a}, {@code [\b]}, octal, {@code \U0001F600}</td><td>{@code
 *     \z}, and the character itself</td></tr>
 * <tr><td>{@code [[]}, {@code []a]}, {@code [a&&b]}</td><td>escaped: no nested sets in Python</td></tr>
 * <tr><td>{@code a{,2}}, {@code {a}}, {@code a{x}}</td><td>{@code a{0,2}}; other braces are
 *     themselves</td></tr>
 * <tr><td>{@code (?#note)}</td><td>dropped</td></tr>
 * <tr><td>{@code \h}, {@code \R}, {@code \Q}, {@code \p}, {@code (?<n>x)}, flags inside</td><td>refused,
 *     as Python does</td></tr>
 * <tr><td>{@code (?(1)a|b)}, {@code (?x)}, {@code (?L)}</td><td>refused: Java lacks them</td></tr>
 * <tr><td>{@code ((x{1000}){1000}){1000}}</td><td>refused: lower bounds that multiply beyond a
 *     million</td></tr>
 * </table>
 *
 * <p>What stays different: look-behind of variable length is an error in Python only, as are {@code
 * a{2}{3}} and a reference to a later group, and {@code \w} counts combining marks in Java only.
 */
final class PythonRegexTranslator {

    private static final long MAX_REPEATS = 1_000_000;
    private static final Pattern REPEAT = Pattern.compile("\\{(\\d*)(?:(,)(\\d*))?\\}");
    private static final Pattern NAME = Pattern.compile("[\\p{L}_][\\p{L}\\p{N}_]*");
    private static final Pattern FLAGS = Pattern.compile("([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])");

    private final String python;
    private final StringBuilder java = new StringBuilder();
    private final Map<String, String> groups = new HashMap<>();
    private long repeats = 1;
    private int at;

    PythonRegexTranslator(String python) {
        this.python = python;
    }

    String translate() {
        while (at < python.length()) {
            char c = python.charAt(at);
            switch (c) {
                case '\\' -> escape(false);
                case '[' -> set();
                case '(' -> group();
                case '{' -> braces();
                case '}', ']' -> {
                    java.append('\\').append(c);
                    at++;
                }
                default -> {
                    java.append(c);
                    at++;
                }
            }
        }
        return java.toString();
    }

    /** Python's group names, and what they are called in Java. */
    Map<String, String> groups() {
        return Map.copyOf(groups);
    }

    private void escape(boolean inSet) {
        if (at + 1 == python.length()) {
            throw fail("a backslash at the end");
        }
        char c = python.charAt(at + 1);
        at += 2;
        if (c >= '0' && c <= '9') {
            digits(c, inSet);
        } else if (inSet && c == 'b') {
            java.append("\\x08");
        } else if ((inSet ? "dDsSwWfnrt" : "dDsSwWfnrtAbB").indexOf(c) >= 0) {
            java.append('\\').append(c);
        } else if (c == 'Z' && !inSet) {
            java.append("\\z");
        } else if (c == 'a') {
            java.append("\\x07");
        } else if (c == 'v') {
            java.append("\\x0B");
        } else if (c == 'x' || c == 'u' || c == 'U') {
            hexadecimal(c == 'x' ? 2 : c == 'u' ? 4 : 8);
        } else if (c < 0x80 && Character.isLetter(c)) {
            throw fail("the escape \\" + c + ", which Python does not have");
        } else if (c < 0x80) {
            java.append('\\').append(c);
        } else {
            java.append(c);
        }
    }

    private void digits(char first, boolean inSet) {
        int end = at;
        while (end < python.length() && end < at + 2 && isOctal(python.charAt(end))) {
            end++;
        }
        boolean octal = first == '0' || inSet || (isOctal(first) && end == at + 2);
        if (octal) {
            if (!isOctal(first)) {
                throw fail("the escape \\" + first + " in a set");
            }
            int value = Integer.parseInt(first + python.substring(at, end), 8);
            if (value > 0xff) {
                throw fail("an octal escape beyond \\377");
            }
            appendCodePoint(value);
            at = end;
        } else {
            java.append("(?:\\").append(first);
            if (at < python.length() && python.charAt(at) >= '0' && python.charAt(at) <= '9') {
                java.append(python.charAt(at++));
            }
            java.append(')');
        }
    }

    private void hexadecimal(int digits) {
        int end = at + digits;
        String text = python.substring(at, Math.min(end, python.length()));
        if (text.length() < digits || !text.chars().allMatch(c -> Character.digit(c, 16) >= 0)) {
            throw fail("an escape without its " + digits + " hexadecimal digits");
        }
        long value = Long.parseLong(text, 16);
        if (value > Character.MAX_CODE_POINT) {
            throw fail("an escape beyond U+10FFFF");
        }
        appendCodePoint((int) value);
        at = end;
    }

    private void appendCodePoint(int value) {
        java.append("\\x{").append(Integer.toHexString(value)).append('}');
    }

    private void set() {
        java.append('[');
        at++;
        if (at < python.length() && python.charAt(at) == '^') {
            java.append('^');
            at++;
        }
        for (int start = at; ; ) {
            if (at >= python.length()) {
                throw fail("a set without its end");
            }
            char c = python.charAt(at);
            if (c == ']' && at > start) {
                java.append(']');
                at++;
                return;
            }
            if (c == '\\') {
                escape(true);
            } else {
                // ^ may stand anywhere but first, and - keeps its meaning
                if ("[]&^".indexOf(c) >= 0) {
                    java.append('\\');
                }
                java.append(c);
                at++;
            }
        }
    }

    private void braces() {
        Matcher repeat = REPEAT.matcher(python).region(at, python.length());
        if (!repeat.lookingAt() || repeat.group().equals("{}")) {
            java.append("\\{");
            at++;
            return;
        }
        String low = repeat.group(1).isEmpty() ? "0" : repeat.group(1);
        // Java repeats an empty group as often as it is told, and nested counts multiply
        repeats *= low.length() > 7 ? MAX_REPEATS + 1 : Math.max(1, Integer.parseInt(low));
        if (repeats > MAX_REPEATS) {
            throw fail("repeats of more than a million together");
        }
        java.append('{').append(low);
        if (repeat.group(2) != null) {
            java.append(',').append(repeat.group(3));
        }
        java.append('}');
        at = repeat.end();
    }

    private void group() {
        if (!python.startsWith("(?", at)) {
            java.append('(');
            at++;
            return;
        }
        for (String same : new String[] {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
            if (python.startsWith(same, at)) {
                java.append(same);
                at += same.length();
                return;
            }
        }
        if (python.startsWith("(?P<", at)) {
            String name = name("(?P<", '>');
            String renamed = "g" + groups.size() + name.replaceAll("[^A-Za-z0-9]", "");
            if (groups.put(name, renamed) != null) {
                throw fail("the group name " + name + " twice");
            }
            java.append("(?<").append(renamed).append('>');
        } else if (python.startsWith("(?P=", at)) {
            String name = name("(?P=", ')');
            String renamed = groups.get(name);
            if (renamed == null) {
                throw fail("a reference to the unknown group " + name);
            }
            java.append("\\k<").append(renamed).append('>');
        } else if (python.startsWith("(?#", at)) {
            int end = python.indexOf(')', at);
            if (end < 0) {
                throw fail("a comment without its end");
            }
            at = end + 1;
        } else if (python.startsWith("(?(", at)) {
            throw fail("a conditional group, which Java does not have");
        } else {
            flags();
        }
    }

    private String name(String opening, char closing) {
        int end = python.indexOf(closing, at);
        String name = end < 0 ? "" : python.substring(at + opening.length(), end);
        if (!NAME.matcher(name).matches()) {
            throw fail("a group without a proper name");
        }
        at = end + 1;
        return name;
    }

    private void flags() {
        Matcher flags = FLAGS.matcher(python).region(at + 2, python.length());
        if (!flags.lookingAt()) {
            throw fail("an unknown group");
        }
        String on = flags.group(1);
        String off = flags.group(2) == null ? "" : flags.group(2);
        boolean global = flags.group(3).equals(")");
        if (global && (at != 0 || !off.isEmpty() || on.isEmpty())) {
            throw fail("flags that do not stand at the start");
        }
        String known = global ? "aimsu" : "aimsu-";
        for (char c : (on + off).toCharArray()) {
            if (known.indexOf(c) < 0) {
                throw fail("the flag " + c + ", which is unknown or Python's alone");
            }
        }
        // Java's U is Python's default, and Python's a takes it away
        String set = on.replace("a", "").replace("u", "");
        String unset = off + (on.contains("a") ? "U" : "");
        java.append("(?").append(set);
        if (!unset.isEmpty()) {
            java.append('-').append(unset);
        }
        java.append(flags.group(3));
        at = flags.end();
    }

    private static boolean isOctal(char c) {
        return c >= '0' && c <= '7';
    }

    private PatternSyntaxException fail(String found) {
        return new PatternSyntaxException(found, python, at);
    }
}
