package io.peft4j.jinja;

import io.peft4j.jinja.Token.Kind;
import java.util.List;

/** The tokens of a template, with a place. */
final class TokenStream {

    private final List<Token> tokens;
    private int at;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(at);
    }

    Token ahead() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token next() {
        Token token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean accept(Kind kind, String text) {
        boolean found = peek().is(kind, text);
        if (found) {
            next();
        }
        return found;
    }

    boolean acceptOperator(String operator) {
        return accept(Kind.OPERATOR, operator);
    }

    boolean acceptName(String name) {
        return accept(Kind.NAME, name);
    }

    Token expect(Kind kind, String... texts) {
        Token token = peek();
        if (!token.is(kind, texts)) {
            throw unexpected(texts.length > 0 ? "'" + texts[0] + "'" : described(kind));
        }
        return next();
    }

    JinjaException unexpected(String expected) {
        Token token = peek();
        String found =
                token.text().isEmpty() || token.kind() == Kind.TEXT
                        ? described(token.kind())
                        : "'" + token.text() + "'";
        return new JinjaException("expected " + expected + ", found " + found, token.line());
    }

    private static String described(Kind kind) {
        return switch (kind) {
            case TEXT -> "text";
            case OUTPUT_BEGIN -> "'{{'";
            case OUTPUT_END -> "'}}'";
            case BLOCK_BEGIN -> "'{%'";
            case BLOCK_END -> "'%}'";
            case NAME -> "a name";
            case STRING -> "a string";
            case INTEGER, FLOAT -> "a number";
            case OPERATOR -> "an operator";
            case END -> "the end of the template";
        };
    }
}
