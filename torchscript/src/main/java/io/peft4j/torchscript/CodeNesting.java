package io.peft4j.torchscript;

/**
 * How deep the parts of a record of code lie in each other for libtorch, whose parser and compiler
 * go one call deeper for each level; the end of their stack ends the process. A level is a bracket,
 * and a block of statements, but also each link of a chain like {@code a + b + c}, {@code a.b.c} or
 * {@code f(x)(y)}, whose first part is the innermost, each {@code elif}, and each early {@code
 * return}, as the rest of the function is put into an {@code else} of it.
 *
 * <p>The text is split as libtorch does it; continued lines and texts without end, which torch.jit
 * never writes, are refused.
 */
final class CodeNesting {

    /** Far more than torch.jit writes, and far less than what a small stack holds. */
    static final int MAX_DEPTH = 100;

    private final String text;
    private int at;
    private final int[] links = new int[MAX_DEPTH + 2];
    private int open;
    private int level;

    /** Whether a bracket would call or index what stands before it. */
    private boolean value;

    /** What later parts of a function lie within, although they are not indented. */
    private int hidden;

    private CodeNesting(String text) {
        this.text = text;
    }

    /** Whether anything lies deeper than {@link #MAX_DEPTH}, or is what torch.jit never writes. */
    static boolean isTooDeep(String text) {
        return deepest(text) > MAX_DEPTH;
    }

    /** The largest number of levels; above {@link #MAX_DEPTH}, counting ends. */
    static int deepest(String text) {
        CodeNesting nesting = new CodeNesting(text);
        int deepest = nesting.indentation() / 2;
        int empty = 0; // libtorch skips comments and empty lines by recursion, too
        while (deepest <= MAX_DEPTH && nesting.at < text.length()) {
            char c = text.charAt(nesting.at);
            if (c == '\n' || c == '#') {
                empty++;
            } else if (c != ' ' && c != '\t') {
                empty = 0;
            }
            boolean known = nesting.step(c);
            int now = Math.max(Math.max(nesting.level, nesting.hidden), empty);
            deepest = Math.max(deepest, known ? now : MAX_DEPTH + 1);
        }
        return deepest;
    }

    private int indentation() {
        int start = at;
        while (at < text.length() && (text.charAt(at) == ' ' || text.charAt(at) == '\t')) {
            at++;
        }
        return at - start;
    }

    /** Reads one part; false if it is too deep, or nothing that torch.jit writes. */
    private boolean step(char c) {
        switch (c) {
            case '\n' -> {
                at++;
                if (open == 0) {
                    next();
                }
                return indentation() <= 2 * MAX_DEPTH || open > 0;
            }
            case '\\' -> {
                return false;
            }
            case '#' -> {
                if (!text.startsWith("# type:", at)) { // which libtorch reads as code
                    int end = text.indexOf('\n', at);
                    at = end < 0 ? text.length() : end;
                    return true;
                }
            }
            case '"', '\'' -> {
                value = true;
                return skipText(c);
            }
            case '(', '[', '{' -> {
                link(value ? 1 : 0);
                if (++open > MAX_DEPTH) {
                    return false;
                }
                links[open] = 0;
                link(1);
                value = false;
            }
            case ')', ']', '}' -> {
                level -= links[open];
                links[open] = 0;
                open -= open > 0 ? 1 : 0;
                value = true;
            }
            case ',', ';', ':' -> next();
            case '=' -> {
                if (text.startsWith("==", at)) {
                    at++;
                    link(1);
                } else if (at == 0 || !isOperator(text.charAt(at - 1))) {
                    next();
                }
            }
            default -> {
                if (Character.isLetterOrDigit(c) || c == '_') {
                    word();
                    return true;
                }
                if (isOperator(c)) {
                    link(1);
                }
            }
        }
        at++;
        return true;
    }

    private void link(int count) {
        links[open] += count;
        level += count;
        value = false;
    }

    /** A new expression begins beside the one before. */
    private void next() {
        int bracket = open > 0 ? 1 : 0;
        level -= links[open] - bracket;
        links[open] = bracket;
        value = false;
    }

    private static boolean isOperator(char c) {
        return "+-*/%@&|^~<>!.".indexOf(c) >= 0;
    }

    private void word() {
        int start = at;
        if (Character.isDigit(text.charAt(at))) {
            number();
        }
        while (at < text.length()
                && (Character.isLetterOrDigit(text.charAt(at)) || text.charAt(at) == '_')) {
            at++;
        }
        value = true;
        switch (text.substring(start, at)) {
            case "and", "or", "not", "in", "is", "if", "else" -> link(1);
            case "elif", "lambda", "return", "break", "continue" -> {
                hidden++;
                value = false;
            }
            case "def", "class" -> hidden = 0;
            default -> {}
        }
    }

    private void number() {
        digits();
        if (at < text.length() && text.charAt(at) == '.') {
            at++;
            digits();
        }
        boolean signed =
                at + 2 < text.length()
                        && (text.charAt(at) == 'e' || text.charAt(at) == 'E')
                        && (text.charAt(at + 1) == '-' || text.charAt(at + 1) == '+')
                        && Character.isDigit(text.charAt(at + 2));
        at += signed ? 2 : 0;
    }

    private void digits() {
        while (at < text.length() && Character.isDigit(text.charAt(at))) {
            at++;
        }
    }

    private boolean skipText(char quote) {
        String end = String.valueOf(quote);
        if (text.startsWith(end.repeat(3), at)) {
            end = end.repeat(3);
        }
        for (at += end.length(); at < text.length(); at++) {
            if (text.startsWith(end, at)) {
                at += end.length();
                return true;
            }
            char c = text.charAt(at);
            if (c == '\n' && end.length() == 1) {
                return false;
            }
            at += c == '\\' ? 1 : 0;
        }
        return false;
    }
}
