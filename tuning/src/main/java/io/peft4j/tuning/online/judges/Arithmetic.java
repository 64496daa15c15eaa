package io.peft4j.tuning.online.judges;

import java.util.OptionalDouble;

/**
 * Sums, products, quotients, whole quotients ({@code //}) and parentheses of numbers such as {@code
 * 1,234}, {@code .5}, {@code $3} and {@code 20%}, which is 0.2.
 */
final class Arithmetic {

    private final String text;
    private int at;

    private Arithmetic(String text) {
        this.text = text;
    }

    /** Computes an expression; empty if it is none, or has no finite value. */
    static OptionalDouble evaluate(String expression) {
        Arithmetic parser = new Arithmetic(withoutSigns(expression));
        double value = parser.sum();
        return parser.at == parser.text.length() && Double.isFinite(value)
                ? OptionalDouble.of(value)
                : OptionalDouble.empty();
    }

    /** Reads one number, with its sign if it has one; empty if there is anything else. */
    static OptionalDouble number(String text) {
        String plain = withoutSigns(text);
        boolean negative = plain.startsWith("-");
        boolean signed = negative || plain.startsWith("+");
        Arithmetic parser = new Arithmetic(signed ? plain.substring(1) : plain);
        double value = parser.number();
        return parser.at == parser.text.length() && Double.isFinite(value)
                ? OptionalDouble.of(negative ? -value : value)
                : OptionalDouble.empty();
    }

    private static String withoutSigns(String text) {
        return text.replaceAll("[\\s,$]", "").replaceAll("[xX×]", "*").replace('÷', '/');
    }

    private double sum() {
        double value = product();
        while (is('+') || is('-')) {
            value = text.charAt(at++) == '+' ? value + product() : value - product();
        }
        return value;
    }

    private double product() {
        double value = factor();
        while (is('*') || is('/')) {
            if (text.charAt(at++) == '*') {
                value *= factor();
            } else if (is('/')) {
                at++;
                value = Math.floor(value / factor());
            } else {
                value /= factor();
            }
        }
        return value;
    }

    private double factor() {
        if (is('-') || is('+')) {
            return text.charAt(at++) == '-' ? -factor() : factor();
        }
        if (is('(')) {
            at++;
            double value = sum();
            if (!is(')')) {
                return Double.NaN;
            }
            at++;
            return percent(value);
        }
        return number();
    }

    /** Reads digits with a point; NaN where there are none. */
    private double number() {
        int from = at;
        while (at < text.length() && (isDigit(text.charAt(at)) || text.charAt(at) == '.')) {
            at++;
        }
        String digits = text.substring(from, at);
        boolean isNumber =
                digits.chars().anyMatch(c -> isDigit((char) c))
                        && digits.indexOf('.') == digits.lastIndexOf('.');
        return isNumber ? percent(Double.parseDouble(digits)) : Double.NaN;
    }

    private double percent(double value) {
        if (is('%')) {
            at++;
            return value / 100;
        }
        return value;
    }

    private boolean is(char wanted) {
        return at < text.length() && text.charAt(at) == wanted;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
