package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's operators. */
final class Operators {

    private static final int LONGEST = 10_000_000;
    private static final Pattern CONVERSION = Pattern.compile("%(.?)", Pattern.DOTALL);

    private Operators() {}

    static Object apply(String operator, Object left, Object right) {
        for (Object operand : new Object[] {left, right}) {
            if (operand instanceof Undefined undefined) {
                throw undefined.refused();
            }
        }
        if (isNumber(left) && isNumber(right)) {
            return arithmetic(operator, left, right);
        }
        switch (operator) {
            case "+" -> {
                if (left instanceof String a && right instanceof String b) {
                    return a + b;
                }
                if (left instanceof List<?> a && right instanceof List<?> b && sameKind(a, b)) {
                    List<Object> both = new ArrayList<>(a);
                    both.addAll(b);
                    return left instanceof Tuple ? new Tuple(both) : both;
                }
                if (isText(left) && isText(right)) {
                    return new SafeText(SafeText.escape(left) + SafeText.escape(right));
                }
            }
            case "*" -> {
                if (isNumber(left) && !isNumber(right)) {
                    return apply(operator, right, left);
                }
                if (isNumber(right) && (left instanceof String || left instanceof List<?>)) {
                    return repeated(left, Values.integer(right));
                }
            }
            case "%" -> {
                if (left instanceof String format) {
                    return formatted(format, right);
                }
            }
            default -> {}
        }
        throw unsupported(operator, left, right);
    }

    private static JinjaException unsupported(String operator, Object left, Object right) {
        return new JinjaException(
                "unsupported operands for "
                        + operator
                        + ": '"
                        + Values.typeName(left)
                        + "' and '"
                        + Values.typeName(right)
                        + "'");
    }

    private static boolean sameKind(List<?> a, List<?> b) {
        return (a instanceof Tuple) == (b instanceof Tuple);
    }

    private static boolean isText(Object value) {
        return value instanceof String || value instanceof SafeText;
    }

    private static boolean isNumber(Object value) {
        return value instanceof Number || value instanceof Boolean;
    }

    private static double real(Object value) {
        return value instanceof Double number ? number : Values.integer(value);
    }

    private static Object arithmetic(String operator, Object left, Object right) {
        boolean whole = !(left instanceof Double || right instanceof Double);
        if (real(right) == 0 && List.of("/", "//", "%").contains(operator)) {
            throw new JinjaException("division by zero");
        }
        if (!whole || operator.equals("/")) {
            double a = real(left);
            double b = real(right);
            return switch (operator) {
                case "+" -> a + b;
                case "-" -> a - b;
                case "*" -> a * b;
                case "/" -> a / b;
                case "//" -> Math.floor(a / b);
                case "%" -> a - b * Math.floor(a / b);
                default -> Math.pow(a, b);
            };
        }
        long a = Values.integer(left);
        long b = Values.integer(right);
        try {
            return switch (operator) {
                case "+" -> Math.addExact(a, b);
                case "-" -> Math.subtractExact(a, b);
                case "*" -> Math.multiplyExact(a, b);
                case "//" -> Math.floorDiv(a, b);
                case "%" -> Math.floorMod(a, b);
                default -> power(a, b);
            };
        } catch (ArithmeticException e) {
            throw new JinjaException("the number is too large: " + a + " " + operator + " " + b);
        }
    }

    private static Object power(long base, long exponent) {
        if (exponent < 0) {
            return Math.pow((double) base, (double) exponent);
        }
        long result = 1;
        for (long i = 0; i < exponent && result != 0; i++) {
            result = Math.multiplyExact(result, base);
            if (i > 100 && Math.abs(base) <= 1) {
                return exponent % 2 == 0 ? base * base : base;
            }
        }
        return result;
    }

    private static Object repeated(Object value, long count) {
        long times = Math.max(0, count);
        long length = value instanceof String text ? text.length() : ((List<?>) value).size();
        if (times > 0 && length > LONGEST / times) {
            throw new JinjaException("a repetition of more than " + LONGEST + " elements");
        }
        if (value instanceof String text) {
            return text.repeat((int) times);
        }
        List<Object> all = new ArrayList<>();
        for (long i = 0; i < times; i++) {
            all.addAll((List<?>) value);
        }
        return all;
    }

    /** The conversions that templates use: %s, %r, %d and %%. */
    private static String formatted(String format, Object right) {
        List<?> values = right instanceof Tuple tuple ? tuple : List.of(right);
        int[] used = {0};
        Matcher conversions = CONVERSION.matcher(format);
        String text =
                conversions.replaceAll(
                        match -> {
                            String kind = match.group(1);
                            if (kind.equals("%")) {
                                return "%";
                            }
                            if (used[0] == values.size()) {
                                throw new JinjaException("not enough arguments for format string");
                            }
                            Object value = values.get(used[0]++);
                            return Matcher.quoteReplacement(
                                    switch (kind) {
                                        case "s" -> Values.text(value);
                                        case "r" -> Values.repr(value);
                                        case "d" -> Long.toString(Values.integer(value));
                                        default ->
                                                throw new JinjaException(
                                                        "expected %s, %r, %d or %% in a format"
                                                                + " string, found %"
                                                                + kind);
                                    });
                        });
        if (used[0] < values.size()) {
            throw new JinjaException("not all arguments converted during string formatting");
        }
        return text;
    }

    static boolean compare(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> equal(left, right);
            case "!=" -> !equal(left, right);
            case "in" -> contains(right, left);
            case "not in" -> !contains(right, left);
            case "<" -> order(operator, left, right) < 0;
            case "<=" -> order(operator, left, right) <= 0;
            case ">" -> order(operator, left, right) > 0;
            default -> order(operator, left, right) >= 0;
        };
    }

    static boolean equal(Object left, Object right) {
        if (isNumber(left) && isNumber(right)) {
            return (left instanceof Double || right instanceof Double)
                    ? real(left) == real(right)
                    : Values.integer(left) == Values.integer(right);
        }
        if (isText(left) && isText(right)) {
            return Values.text(left).equals(Values.text(right));
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            boolean same = a.size() == b.size() && sameKind(a, b);
            for (int i = 0; same && i < a.size(); i++) {
                same = equal(a.get(i), b.get(i));
            }
            return same;
        }
        if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
            return a.size() == b.size()
                    && a.entrySet().stream()
                            .allMatch(
                                    entry -> {
                                        Object other = b.get(entry.getKey());
                                        return other != null && equal(entry.getValue(), other);
                                    });
        }
        return left instanceof Undefined ? right instanceof Undefined : left.equals(right);
    }

    /** Less than, equal to or greater than zero. */
    static int order(String operator, Object left, Object right) {
        if (isNumber(left) && isNumber(right)) {
            return (left instanceof Double || right instanceof Double)
                    ? Double.compare(real(left), real(right))
                    : Long.compare(Values.integer(left), Values.integer(right));
        }
        if (left instanceof String a && right instanceof String b) {
            return compareCodePoints(a, b);
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
                if (!equal(a.get(i), b.get(i))) {
                    return order(operator, a.get(i), b.get(i));
                }
            }
            return Integer.compare(a.size(), b.size());
        }
        for (Object operand : new Object[] {left, right}) {
            if (operand instanceof Undefined undefined) {
                throw undefined.refused();
            }
        }
        throw unsupported(operator, left, right);
    }

    private static int compareCodePoints(String a, String b) {
        int[] x = a.codePoints().toArray();
        int[] y = b.codePoints().toArray();
        return java.util.Arrays.compare(x, y);
    }

    static boolean contains(Object container, Object element) {
        if (container instanceof String || container instanceof SafeText) {
            return Values.text(container).contains(textIn(element));
        }
        if (container instanceof Map<?, ?> map) {
            return map.containsKey(element);
        }
        return Values.elements(container).stream().anyMatch(other -> equal(other, element));
    }

    private static String textIn(Object element) {
        if (element instanceof Undefined || !isText(element)) {
            throw new JinjaException(
                    "'in <string>' requires string as left operand, not "
                            + Values.typeName(element));
        }
        return Values.text(element);
    }
}
