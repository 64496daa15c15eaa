package io.peft4j.jinja;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What Python makes of values. They are {@link String}, {@link Long}, {@link Double}, {@link
 * Boolean}, {@link List}, {@link Map}, {@link None}, {@link Undefined}, and what templates make
 * themselves.
 */
final class Values {

    private Values() {}

    /** Takes a value of Java. */
    static Object of(@Nullable Object value) {
        if (value == null) {
            return None.NONE;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> copy = new LinkedHashMap<>();
            map.forEach((key, element) -> copy.put(of(key), of(element)));
            return copy;
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>();
            list.forEach(element -> copy.add(of(element)));
            return copy;
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return ((Number) value).longValue();
        }
        if (value instanceof Float number) {
            return number.doubleValue();
        }
        if (value instanceof String
                || value instanceof Long
                || value instanceof Double
                || value instanceof Boolean
                || value instanceof Function) {
            return value;
        }
        throw new IllegalArgumentException(
                "expected a text, number, truth value, list or map, found " + value.getClass());
    }

    static boolean isTrue(Object value) {
        if (value instanceof Boolean truth) {
            return truth;
        }
        if (value instanceof Number number) {
            return number.doubleValue() != 0;
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof SafeText safe) {
            return !safe.text().isEmpty();
        }
        return !(value instanceof String text
                ? text.isEmpty()
                : value == None.NONE || value instanceof Undefined);
    }

    /** Python's {@code str(value)}. */
    static String text(Object value) {
        if (value instanceof SafeText safe) {
            return safe.text();
        }
        return value instanceof String text ? text : value instanceof Undefined ? "" : repr(value);
    }

    /** Python's {@code repr(value)}. */
    static String repr(Object value) {
        if (value instanceof String text) {
            return quoted(text);
        }
        if (value instanceof Boolean truth) {
            return truth ? "True" : "False";
        }
        if (value instanceof Long number) {
            return number.toString();
        }
        if (value instanceof Double number) {
            return number(number);
        }
        if (value == None.NONE) {
            return "None";
        }
        if (value instanceof List<?> list) {
            String elements = list.stream().map(Values::repr).collect(Collectors.joining(", "));
            return value instanceof Tuple
                    ? "(" + elements + (list.size() == 1 ? ",)" : ")")
                    : "[" + elements + "]";
        }
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> repr(entry.getKey()) + ": " + repr(entry.getValue()))
                    .collect(Collectors.joining(", ", "{", "}"));
        }
        throw new JinjaException("a " + typeName(value) + " cannot be printed");
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(quote);
        text.codePoints()
                .forEach(
                        c -> {
                            switch (c) {
                                case '\n' -> out.append("\\n");
                                case '\r' -> out.append("\\r");
                                case '\t' -> out.append("\\t");
                                case '\\' -> out.append("\\\\");
                                default -> {
                                    if (c == quote) {
                                        out.append('\\').append(quote);
                                    } else if (isPrintable(c)) {
                                        out.appendCodePoint(c);
                                    } else {
                                        String form =
                                                c < 0x100
                                                        ? "\\x%02x"
                                                        : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                                        out.append(String.format(Locale.ROOT, form, c));
                                    }
                                }
                            }
                        });
        return out.append(quote).toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    /** The fewest digits that give the number back, as Python writes them. */
    static String number(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(value);
        BigDecimal shortest = exact;
        for (int digits = 1; digits <= 17; digits++) {
            shortest = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (shortest.doubleValue() == value) {
                break;
            }
        }
        shortest = shortest.stripTrailingZeros();
        int exponent = shortest.precision() - shortest.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = shortest.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = shortest.unscaledValue().abs().toString();
        return (value < 0 ? "-" : "")
                + digits.charAt(0)
                + (digits.length() > 1 ? "." + digits.substring(1) : "")
                + String.format(
                        Locale.ROOT, "e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    static String typeName(Object value) {
        if (value instanceof String || value instanceof SafeText) {
            return "str";
        }
        if (value instanceof Boolean) {
            return "bool";
        }
        if (value instanceof Long) {
            return "int";
        }
        if (value instanceof Double) {
            return "float";
        }
        if (value == None.NONE) {
            return "None";
        }
        if (value instanceof List<?>) {
            return value instanceof Tuple ? "tuple" : "list";
        }
        return value instanceof Map<?, ?>
                ? "dict"
                : value.getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }

    /** The elements of a list, the keys of a mapping, the characters of a text. */
    static List<Object> elements(Object value) {
        if (value instanceof List<?> list) {
            return new ArrayList<>(list);
        }
        if (value instanceof Map<?, ?> map) {
            return new ArrayList<>(map.keySet());
        }
        if (value instanceof String || value instanceof SafeText) {
            List<Object> characters = new ArrayList<>();
            text(value).codePoints().forEach(c -> characters.add(Character.toString(c)));
            return characters;
        }
        if (value instanceof Undefined) {
            return List.of();
        }
        throw new JinjaException("'" + typeName(value) + "' object is not iterable");
    }

    static long length(Object value) {
        if (value instanceof String || value instanceof SafeText) {
            String text = text(value);
            return text.codePointCount(0, text.length());
        }
        if (value instanceof Long || value instanceof Double || value instanceof Boolean) {
            throw new JinjaException("object of type '" + typeName(value) + "' has no len()");
        }
        return elements(value).size();
    }

    /** What Python's {@code isspace} is true for. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    static String string(Object value) {
        if (value instanceof SafeText) {
            throw new JinjaException("text marked as safe can only be printed or joined");
        }
        if (value instanceof Undefined undefined) {
            throw undefined.refused();
        }
        if (!(value instanceof String text)) {
            throw new JinjaException("expected a string, found " + typeName(value));
        }
        return text;
    }

    static long integer(Object value) {
        if (value instanceof Long number) {
            return number;
        }
        if (value instanceof Boolean truth) {
            return truth ? 1 : 0;
        }
        throw new JinjaException("expected an integer, found " + typeName(value));
    }
}
