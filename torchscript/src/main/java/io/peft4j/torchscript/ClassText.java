package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.List;
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
            Pattern.compile("getattr\\((\\w+(?:\\.\\w+)*), \"(\\w+)\"\\)");

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

    static ClassText find(String record, String code, String className)
            throws TorchScriptException {
        String name = className.substring(className.lastIndexOf('.') + 1);
        Matcher head = Pattern.compile("(?m)^class " + Pattern.quote(name) + "\\(").matcher(code);
        if (!head.find()) {
            throw new TorchScriptException(
                    "there is no class " + name + " in " + record + ", though an object is one");
        }
        Matcher next = Pattern.compile("(?m)^\\S").matcher(code);
        int end = next.find(head.end()) ? next.start() : code.length();
        return new ClassText(record, head.start(), end, code.substring(head.start(), end));
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
        for (String before = ""; !before.equals(now); ) {
            before = now;
            now = GET_ATTRIBUTE.matcher(now).replaceAll("$1.$2");
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
