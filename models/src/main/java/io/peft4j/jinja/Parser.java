package io.peft4j.jinja;

import io.peft4j.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads statements. */
final class Parser {

    private final TokenStream stream;
    private final ExpressionParser expressions;
    private boolean marksGeneration;

    private Parser(TokenStream stream) {
        this.stream = stream;
        expressions = new ExpressionParser(stream);
    }

    /**
     * What a template consists of.
     *
     * @param body its statements
     * @param marksGeneration whether there is a generation block
     */
    record Parsed(Statement body, boolean marksGeneration) {}

    static Parsed parse(String template) {
        Parser parser = new Parser(new TokenStream(Lexer.tokens(template)));
        Statement body = parser.body();
        if (!parser.stream.peek().is(Kind.END)) {
            parser.stream.next();
            throw parser.stream.unexpected("no such tag here");
        }
        return new Parsed(body, parser.marksGeneration);
    }

    /** Statements up to the end, or to a tag that is one of these; the tag is next then. */
    private Statement body(String... ends) {
        List<Statement> statements = new ArrayList<>();
        while (true) {
            Token token = stream.peek();
            switch (token.kind()) {
                case TEXT -> statements.add(new Statement.Text(stream.next().text()));
                case OUTPUT_BEGIN -> {
                    stream.next();
                    Expression printed = expressions.tuple(true);
                    stream.expect(Kind.OUTPUT_END);
                    statements.add(new Statement.At(token.line(), new Statement.Print(printed)));
                }
                case BLOCK_BEGIN -> {
                    if (stream.ahead().is(Kind.NAME) && isOneOf(stream.ahead().text(), ends)) {
                        stream.next();
                        return new Statement.Block(statements);
                    }
                    if (ends.length == 0 && stream.ahead().text().startsWith("end")) {
                        return new Statement.Block(statements);
                    }
                    stream.next();
                    statements.add(new Statement.At(token.line(), statement()));
                }
                default -> {
                    if (ends.length > 0) {
                        throw stream.unexpected("{% " + ends[ends.length - 1] + " %}");
                    }
                    return new Statement.Block(statements);
                }
            }
        }
    }

    private static boolean isOneOf(String name, String... names) {
        return List.of(names).contains(name);
    }

    private Statement statement() {
        Token tag = stream.expect(Kind.NAME);
        switch (tag.text()) {
            case "if" -> {
                return conditional();
            }
            case "for" -> {
                return loop();
            }
            case "set" -> {
                return set();
            }
            case "macro" -> {
                return macro();
            }
            case "generation" -> {
                stream.expect(Kind.BLOCK_END);
                Statement body = body("endgeneration");
                end("endgeneration");
                marksGeneration = true;
                return new Statement.Generation(body);
            }
            case "break", "continue" -> {
                stream.expect(Kind.BLOCK_END);
                return new Statement.Jump(
                        tag.text().equals("break")
                                ? Statement.Flow.BREAK
                                : Statement.Flow.CONTINUE);
            }
            default ->
                    throw new JinjaException(
                            "expected one of the tags if, for, set, macro, generation, break,"
                                    + " continue and raw, found '"
                                    + tag.text()
                                    + "'",
                            tag.line());
        }
    }

    private void end(String tag) {
        stream.expect(Kind.NAME, tag);
        stream.expect(Kind.BLOCK_END);
    }

    private Statement conditional() {
        Expression condition = expressions.tuple(true);
        stream.expect(Kind.BLOCK_END);
        Statement then = body("elif", "else", "endif");
        int line = stream.peek().line();
        Statement otherwise = null;
        if (stream.acceptName("elif")) {
            return new Statement.If(condition, then, new Statement.At(line, conditional()));
        }
        if (stream.acceptName("else")) {
            stream.expect(Kind.BLOCK_END);
            otherwise = body("endif");
        }
        end("endif");
        return new Statement.If(condition, then, otherwise);
    }

    private Statement loop() {
        Statement.Target target = new Statement.Target(names(), null);
        stream.expect(Kind.NAME, "in");
        Expression over = expressions.tuple(false);
        Expression condition = stream.acceptName("if") ? expressions.expression() : null;
        if (stream.peek().is(Kind.NAME, "recursive")) {
            throw stream.unexpected("no recursive loop");
        }
        stream.expect(Kind.BLOCK_END);
        Statement body = body("else", "endfor");
        Statement otherwise = null;
        if (stream.acceptName("else")) {
            stream.expect(Kind.BLOCK_END);
            otherwise = body("endfor");
        }
        end("endfor");
        return new Statement.For(target, over, condition, body, otherwise);
    }

    private List<String> names() {
        boolean enclosed = stream.acceptOperator("(");
        List<String> names = new ArrayList<>();
        do {
            names.add(stream.expect(Kind.NAME).text());
        } while (stream.acceptOperator(","));
        if (enclosed) {
            stream.expect(Kind.OPERATOR, ")");
        }
        return names;
    }

    private Statement set() {
        List<String> names = names();
        @Nullable String attribute = null;
        if (names.size() == 1 && stream.acceptOperator(".")) {
            attribute = stream.expect(Kind.NAME).text();
        }
        Statement.Target target = new Statement.Target(names, attribute);
        if (stream.acceptOperator("=")) {
            Expression value = expressions.tuple(true);
            stream.expect(Kind.BLOCK_END);
            return new Statement.Set(target, value);
        }
        Expression filtered = new Expression.Name("");
        while (stream.acceptOperator("|")) {
            filtered = expressions.filtered(filtered);
        }
        stream.expect(Kind.BLOCK_END);
        Statement body = body("endset");
        end("endset");
        return new Statement.SetText(target, body, filtered);
    }

    private Statement macro() {
        String name = stream.expect(Kind.NAME).text();
        List<String> parameters = new ArrayList<>();
        Map<String, Expression> defaults = new LinkedHashMap<>();
        stream.expect(Kind.OPERATOR, "(");
        while (!stream.acceptOperator(")")) {
            if (!parameters.isEmpty()) {
                stream.expect(Kind.OPERATOR, ",");
            }
            String parameter = stream.expect(Kind.NAME).text();
            parameters.add(parameter);
            if (stream.acceptOperator("=")) {
                defaults.put(parameter, expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw stream.unexpected("a default, as the parameter before has");
            }
        }
        stream.expect(Kind.BLOCK_END);
        Statement body = body("endmacro");
        end("endmacro");
        return new Statement.Macro(name, parameters, defaults, body);
    }
}
