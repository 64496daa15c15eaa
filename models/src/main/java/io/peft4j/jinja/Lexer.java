package io.peft4j.jinja;

import io.peft4j.jinja.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} as transformers
 * sets them: a newline right after a block is dropped, and so is the space before a block that is
 * the first of its line.
 */
final class Lexer {

    private static final Pattern OPEN = Pattern.compile("\\{[{%#]");
    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(?:(-)%}|%})");
    private static final Pattern END_RAW =
            Pattern.compile("\\{%([-+]?)\\s*endraw\\s*(?:\\+%}|(-)%}|%})");
    private static final Pattern FLOAT =
            Pattern.compile(
                    "\\d+(?:_\\d+)*(?:(?:\\.\\d+(?:_\\d+)*)?[eE][-+]?\\d+|\\.\\d+(?:_\\d+)*)");
    private static final Pattern INTEGER = Pattern.compile("\\d+(?:_\\d+)*");
    private static final Pattern NAME = Pattern.compile("[\\w]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern STRING =
            Pattern.compile("'((?:[^'\\\\]|\\\\.)*+)'|\"((?:[^\"\\\\]|\\\\.)*+)\"", Pattern.DOTALL);
    private static final Pattern OPERATOR =
            Pattern.compile("\\*\\*|//|==|!=|>=|<=|[-+/*%~\\[\\](){}><=.:|,]");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private boolean lineStarting = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer =
                new Lexer(
                        source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
        lexer.run();
        lexer.add(Kind.END, "");
        return lexer.tokens;
    }

    private void run() {
        Matcher open = OPEN.matcher(source);
        while (open.find(at)) {
            int begin = open.start();
            char kind = source.charAt(begin + 1);
            char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
            addText(source.substring(at, begin), sign, kind != '{');
            Matcher raw = RAW.matcher(source).region(begin, source.length());
            if (raw.lookingAt()) {
                readRaw(raw);
                continue;
            }
            advance(begin + 2 + (sign == '-' || sign == '+' ? 1 : 0));
            if (kind == '#') {
                skipComment();
            } else {
                readCode(kind == '{');
            }
        }
        addText(source.substring(at), ' ', false);
    }

    private void add(Kind kind, String text) {
        tokens.add(new Token(kind, text, line));
    }

    private void advance(int end) {
        for (int i = at; i < end; i++) {
            if (source.charAt(i) == '\n') {
                line++;
            }
        }
        at = end;
    }

    /** Adds the text before a tag, and moves to the tag. */
    private void addText(String text, char sign, boolean block) {
        String kept = text;
        if (sign == '-') {
            kept = StringMethods.strip(text, StringMethods::isSpaceAt, false, true);
        } else if (sign != '+' && block) {
            int lineBegin = text.lastIndexOf('\n') + 1;
            if ((lineBegin > 0 || lineStarting)
                    && text.substring(lineBegin).codePoints().allMatch(Values::isSpace)) {
                kept = text.substring(0, lineBegin);
            }
        }
        if (!kept.isEmpty()) {
            add(Kind.TEXT, kept);
        }
        advance(at + text.length());
    }

    private void readRaw(Matcher begin) {
        int where = line;
        advance(begin.end());
        if (begin.group(1) != null) {
            skipSpace();
        }
        lineStarting = source.charAt(at - 1) == '\n';
        Matcher end = END_RAW.matcher(source);
        if (!end.find(at)) {
            throw new JinjaException("expected {% endraw %}, found the end", where);
        }
        String sign = end.group(1);
        addText(source.substring(at, end.start()), sign.isEmpty() ? ' ' : sign.charAt(0), true);
        closeBlock(end.end(), end.group(2) != null, end.group().endsWith("+%}"));
    }

    private void skipComment() {
        int end = source.indexOf("#}", at);
        if (end < 0) {
            throw new JinjaException("expected #}, found the end", line);
        }
        char sign = end > at ? source.charAt(end - 1) : ' ';
        closeBlock(end + 2, sign == '-', sign == '+');
    }

    /** Goes behind a block's end, and behind what it drops. */
    private void closeBlock(int end, boolean strips, boolean keeps) {
        advance(end);
        if (strips) {
            skipSpace();
        } else if (!keeps && at < source.length() && source.charAt(at) == '\n') {
            advance(at + 1);
        }
        lineStarting = source.charAt(at - 1) == '\n';
    }

    private void skipSpace() {
        int end = at;
        while (end < source.length() && Values.isSpace(source.codePointAt(end))) {
            end += Character.charCount(source.codePointAt(end));
        }
        advance(end);
    }

    private void readCode(boolean output) {
        String close = output ? "}}" : "%}";
        int where = line;
        add(output ? Kind.OUTPUT_BEGIN : Kind.BLOCK_BEGIN, "");
        Deque<Character> brackets = new ArrayDeque<>();
        while (true) {
            skipSpace();
            if (at >= source.length()) {
                throw new JinjaException("expected " + close + ", found the end", where);
            }
            if (brackets.isEmpty()) {
                char sign = source.charAt(at);
                boolean signed = sign == '-' || (sign == '+' && !output);
                if (source.startsWith(close, signed ? at + 1 : at)) {
                    add(output ? Kind.OUTPUT_END : Kind.BLOCK_END, "");
                    int end = at + (signed ? 3 : 2);
                    closeBlock(end, sign == '-', output || sign == '+');
                    return;
                }
            }
            readToken(brackets);
        }
    }

    private void readToken(Deque<Character> brackets) {
        for (Kind kind : List.of(Kind.FLOAT, Kind.INTEGER, Kind.NAME, Kind.STRING, Kind.OPERATOR)) {
            Matcher matcher = pattern(kind).matcher(source).region(at, source.length());
            matcher.useTransparentBounds(true);
            if (matcher.lookingAt()) {
                String text = matcher.group();
                switch (kind) {
                    case STRING ->
                            text = StringLiteral.decode(text.substring(1, text.length() - 1));
                    case OPERATOR -> balance(text.charAt(0), brackets);
                    default -> {}
                }
                add(kind, text);
                advance(matcher.end());
                return;
            }
        }
        throw new JinjaException(
                "unexpected character '" + Character.toString(source.codePointAt(at)) + "'", line);
    }

    private static Pattern pattern(Kind kind) {
        return switch (kind) {
            case FLOAT -> FLOAT;
            case INTEGER -> INTEGER;
            case NAME -> NAME;
            case STRING -> STRING;
            default -> OPERATOR;
        };
    }

    private void balance(char operator, Deque<Character> brackets) {
        switch (operator) {
            case '(' -> brackets.push(')');
            case '[' -> brackets.push(']');
            case '{' -> brackets.push('}');
            case ')', ']', '}' -> {
                if (brackets.isEmpty() || brackets.pop() != operator) {
                    throw new JinjaException("unexpected '" + operator + "'", line);
                }
            }
            default -> {}
        }
    }
}
