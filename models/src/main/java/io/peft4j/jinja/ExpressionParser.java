package io.peft4j.jinja;

import io.peft4j.jinja.Token.Kind;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads expressions. From the loosest to the tightest: {@code a if b else c}, {@code or}, {@code
 * and}, {@code not}, comparisons, {@code + -}, {@code ~}, {@code * / // %}, {@code **}, signs, then
 * what follows a value: {@code .x [x] (x)}, filters and tests.
 */
final class ExpressionParser {

    private static final Expression NOTHING = new Expression.Literal(None.NONE);

    private final TokenStream stream;

    ExpressionParser(TokenStream stream) {
        this.stream = stream;
    }

    /** An expression, or several with commas. */
    Expression tuple(boolean conditional) {
        Expression first = conditional ? expression() : or();
        if (!stream.peek().is(Kind.OPERATOR, ",")) {
            return first;
        }
        List<Expression> elements = new ArrayList<>(List.of(first));
        while (stream.acceptOperator(",")) {
            if (stream.peek().is(Kind.BLOCK_END)
                    || stream.peek().is(Kind.OUTPUT_END)
                    || stream.peek().is(Kind.OPERATOR, ")")) {
                break;
            }
            elements.add(conditional ? expression() : or());
        }
        return new Expression.TupleOf(elements);
    }

    Expression expression() {
        Expression value = or();
        while (stream.acceptName("if")) {
            Expression condition = or();
            Expression otherwise = stream.acceptName("else") ? expression() : null;
            value = new Expression.Conditional(condition, value, otherwise);
        }
        return value;
    }

    private Expression or() {
        Expression left = and();
        while (stream.acceptName("or")) {
            left = new Expression.Or(left, and());
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (stream.acceptName("and")) {
            left = new Expression.And(left, not());
        }
        return left;
    }

    private Expression not() {
        return stream.acceptName("not") ? new Expression.Not(not()) : comparison();
    }

    private Expression comparison() {
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> others = new ArrayList<>();
        while (true) {
            String operator = comparisonOperator();
            if (operator == null) {
                return others.isEmpty()
                        ? first
                        : new Expression.Comparison(first, operators, others);
            }
            operators.add(operator);
            others.add(sum());
        }
    }

    private @Nullable String comparisonOperator() {
        Token token = stream.peek();
        if (token.is(Kind.OPERATOR, "==", "!=", "<", "<=", ">", ">=")) {
            return stream.next().text();
        }
        if (stream.acceptName("in")) {
            return "in";
        }
        if (token.is(Kind.NAME, "not") && stream.ahead().is(Kind.NAME, "in")) {
            stream.next();
            stream.next();
            return "not in";
        }
        return null;
    }

    private Expression sum() {
        Expression left = concatenation();
        while (stream.peek().is(Kind.OPERATOR, "+", "-")) {
            left = new Expression.Binary(stream.next().text(), left, concatenation());
        }
        return left;
    }

    private Expression concatenation() {
        List<Expression> parts = new ArrayList<>(List.of(product()));
        while (stream.acceptOperator("~")) {
            parts.add(product());
        }
        return parts.size() == 1 ? parts.get(0) : new Expression.Concatenation(parts);
    }

    private Expression product() {
        Expression left = power();
        while (stream.peek().is(Kind.OPERATOR, "*", "/", "//", "%")) {
            left = new Expression.Binary(stream.next().text(), left, power());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (stream.peek().is(Kind.OPERATOR, "**")) {
            left = new Expression.Binary(stream.next().text(), left, unary(true));
        }
        return left;
    }

    private Expression unary(boolean filtered) {
        Expression value;
        if (stream.peek().is(Kind.OPERATOR, "-", "+")) {
            boolean negative = stream.next().text().equals("-");
            value = new Expression.Signed(unary(false), negative);
        } else {
            value = postfix(primary());
        }
        return filtered ? filtersAndTests(value) : value;
    }

    private Expression primary() {
        Token token = stream.peek();
        return switch (token.kind()) {
            case NAME -> named(stream.next().text());
            case STRING -> strings();
            case INTEGER -> new Expression.Literal(integer(stream.next()));
            case FLOAT ->
                    new Expression.Literal(
                            new BigDecimal(stream.next().text().replace("_", "")).doubleValue());
            case OPERATOR ->
                    switch (token.text()) {
                        case "(" -> parenthesis();
                        case "[" -> list();
                        case "{" -> dict();
                        default -> throw stream.unexpected("an expression");
                    };
            default -> throw stream.unexpected("an expression");
        };
    }

    private static Expression named(String name) {
        return switch (name) {
            case "true", "True" -> new Expression.Literal(true);
            case "false", "False" -> new Expression.Literal(false);
            case "none", "None" -> NOTHING;
            default -> new Expression.Name(name);
        };
    }

    private static Long integer(Token token) {
        try {
            return Long.valueOf(token.text().replace("_", ""));
        } catch (NumberFormatException e) {
            throw new JinjaException("the number is too large: " + token.text(), token.line());
        }
    }

    /** Strings side by side are one. */
    private Expression strings() {
        StringBuilder text = new StringBuilder();
        while (stream.peek().is(Kind.STRING)) {
            text.append(stream.next().text());
        }
        return new Expression.Literal(text.toString());
    }

    private Expression parenthesis() {
        stream.expect(Kind.OPERATOR, "(");
        if (stream.acceptOperator(")")) {
            return new Expression.TupleOf(List.of());
        }
        Expression value = tuple(true);
        stream.expect(Kind.OPERATOR, ")");
        return value;
    }

    private Expression list() {
        stream.expect(Kind.OPERATOR, "[");
        List<Expression> elements = new ArrayList<>();
        while (!stream.acceptOperator("]")) {
            if (!elements.isEmpty()) {
                stream.expect(Kind.OPERATOR, ",");
                if (stream.acceptOperator("]")) {
                    break;
                }
            }
            elements.add(expression());
        }
        return new Expression.ListOf(elements);
    }

    private Expression dict() {
        stream.expect(Kind.OPERATOR, "{");
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!stream.acceptOperator("}")) {
            if (!keys.isEmpty()) {
                stream.expect(Kind.OPERATOR, ",");
                if (stream.acceptOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            stream.expect(Kind.OPERATOR, ":");
            values.add(expression());
        }
        return new Expression.DictOf(keys, values);
    }

    private Expression postfix(Expression owner) {
        Expression value = owner;
        while (true) {
            if (stream.acceptOperator(".")) {
                Token token = stream.peek();
                value =
                        token.is(Kind.INTEGER)
                                ? new Expression.Item(
                                        value, new Expression.Literal(integer(stream.next())))
                                : new Expression.Attribute(value, stream.expect(Kind.NAME).text());
            } else if (stream.acceptOperator("[")) {
                value = subscript(value);
            } else if (stream.peek().is(Kind.OPERATOR, "(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression owner) {
        Expression[] bounds = {NOTHING, NOTHING, NOTHING};
        int at = 0;
        while (!stream.peek().is(Kind.OPERATOR, "]")) {
            if (stream.acceptOperator(":") && at < 2) {
                at++;
            } else {
                bounds[at] = expression();
                if (!stream.peek().is(Kind.OPERATOR, ":", "]")) {
                    throw stream.unexpected("']'");
                }
            }
        }
        boolean empty = at == 0 && bounds[0] == NOTHING;
        if (empty) {
            throw stream.unexpected("an expression");
        }
        stream.expect(Kind.OPERATOR, "]");
        return at == 0
                ? new Expression.Item(owner, bounds[0])
                : new Expression.Slice(owner, bounds[0], bounds[1], bounds[2]);
    }

    private Expression.Given arguments() {
        stream.expect(Kind.OPERATOR, "(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        while (!stream.acceptOperator(")")) {
            if (!positional.isEmpty() || !named.isEmpty()) {
                stream.expect(Kind.OPERATOR, ",");
                if (stream.acceptOperator(")")) {
                    break;
                }
            }
            if (stream.peek().is(Kind.NAME) && stream.ahead().is(Kind.OPERATOR, "=")) {
                String name = stream.next().text();
                stream.next();
                named.put(name, expression());
            } else if (named.isEmpty()) {
                positional.add(expression());
            } else {
                throw stream.unexpected("a named argument");
            }
        }
        return new Expression.Given(positional, named);
    }

    private Expression filtersAndTests(Expression input) {
        Expression value = input;
        while (true) {
            if (stream.acceptOperator("|")) {
                value = filtered(value);
            } else if (stream.acceptName("is")) {
                value = tested(value);
            } else if (stream.peek().is(Kind.OPERATOR, "(")) {
                value = new Expression.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    Expression filtered(Expression input) {
        Token name = stream.expect(Kind.NAME);
        Filters.Filter filter = Filters.find(name.text());
        if (filter == null) {
            throw new JinjaException("No filter named '" + name.text() + "'.", name.line());
        }
        boolean called = stream.peek().is(Kind.OPERATOR, "(");
        return new Expression.Filtered(input, filter, called ? arguments() : Expression.Given.NONE);
    }

    private Expression tested(Expression input) {
        boolean negated = stream.acceptName("not");
        Token name = stream.expect(Kind.NAME);
        Tests.Test test = Tests.find(name.text());
        if (test == null) {
            throw new JinjaException("No test named '" + name.text() + "'.", name.line());
        }
        Expression.Given given = Expression.Given.NONE;
        if (stream.peek().is(Kind.OPERATOR, "(")) {
            given = arguments();
        } else if (beginsArgument(stream.peek())) {
            given = new Expression.Given(List.of(postfix(primary())), Map.of());
        }
        Expression tested = new Expression.Tested(input, test, given);
        return negated ? new Expression.Not(tested) : tested;
    }

    private static boolean beginsArgument(Token token) {
        return token.is(Kind.STRING)
                || token.is(Kind.INTEGER)
                || token.is(Kind.FLOAT)
                || token.is(Kind.OPERATOR, "[", "{")
                || (token.is(Kind.NAME) && !token.is(Kind.NAME, "else", "or", "and", "is", "if"));
    }
}
