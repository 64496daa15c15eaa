package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The text of one class, as libtorch prints it: a statement per line, two spaces per level.
 *
 * @param record the record that it lies in
 * @param start where it begins there
 * @param end where it ends there
 * @param text the text
 */
record ClassText(String record, int start, int end, String text) {

    private static final Pattern METHOD = Pattern.compile("(?m)^  def \\w+\\((\\w+)");
    private static final Pattern GET_ATTRIBUTE =
            Pattern.compile("getattr\\((\\w++(?:\\.\\w++)*+), \"(\\w++)\"\\)");
    private static final Pattern HEAD = Pattern.compile("(?m)^(?:class (\\w++)\\(|\\S)");

    /** torch.jit nests such calls hardly ever; each level takes a pass over the text. */
    private static final int MAX_GETATTR = 20;

    /**
     * A method.
     *
     * @param self what it calls its module
     * @param text its lines
     * @param start where it begins in the class's text
     */
    record Method(String self, String text, int start) {}

    /** The record of a class: {@code __torch__.a.b.C} lies in {@code code/__torch__/a/b.py}. */
    static String recordOf(String className) {
        return "code/"
                + className.substring(0, className.lastIndexOf('.')).replace('.', '/')
                + ".py";
    }

    /** All classes of a record by their names. */
    static Map<String, ClassText> all(String record, String code) {
        Map<String, ClassText> classes = new HashMap<>();
        Matcher head = HEAD.matcher(code);
        String name = null;
        int start = 0;
        for (boolean more = true; more; ) {
            more = head.find();
            int end = more ? head.start() : code.length();
            if (name != null) {
                ClassText text = new ClassText(record, start, end, code.substring(start, end));
                classes.putIfAbsent(name, text);
            }
            name = more ? head.group(1) : null;
            start = end;
        }
        return classes;
    }

    List<Method> methods() {
        List<Method> methods = new ArrayList<>();
        Matcher head = METHOD.matcher(text);
        boolean found = head.find();
        while (found) {
            int from = head.start();
            String self = head.group(1);
            found = head.find();
            int to = found ? head.start() : text.length();
            methods.add(new Method(self, text.substring(from, to), from));
        }
        return methods;
    }

    /** Writes {@code getattr(a, "0")} as {@code a.0}, so that every access is a chain of names. */
    static String chains(String code) {
        String now = code;
        for (int i = 0; i < MAX_GETATTR && now.contains("getattr("); i++) {
            String before = now;
            now = GET_ATTRIBUTE.matcher(before).replaceAll("$1.$2");
            if (now.length() == before.length()) {
                break;
            }
        }
        return now;
    }

    /** Splits the arguments of a call whose parenthesis opens before {@code from}. */
    static List<String> arguments(String code, int from) {
        List<String> arguments = new ArrayList<>();
        int depth = 0;
        int begin = from;
        boolean quoted = false;
        for (int i = from; i < code.length(); i++) {
            char c = code.charAt(i);
            if (quoted) {
                i += c == '\\' ? 1 : 0;
                quoted = c != '"';
            } else if (c == '"') {
                quoted = true;
            } else if (c == '(' || c == '[' || c == '{') {
                depth++;
            } else if (depth > 0 && (c == ')' || c == ']' || c == '}')) {
                depth--;
            } else if ((c == ',' && depth == 0) || c == ')') {
                String argument = code.substring(begin, i);
                if (!argument.isBlank()) {
                    arguments.add(argument.strip());
                }
                begin = i + 1;
                if (c == ')') {
                    return arguments;
                }
            }
        }
        return List.of();
    }
}
