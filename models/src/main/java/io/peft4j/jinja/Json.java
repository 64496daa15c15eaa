package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The filter {@code tojson} of transformers, which is Python's {@code json.dumps}. */
final class Json {

    private final boolean ascii;
    private final @Nullable String indent;
    private final String itemSeparator;
    private final String keySeparator;
    private final boolean sorted;
    private final StringBuilder out = new StringBuilder();

    private Json(Arguments.Bound bound) {
        ascii = Values.isTrue(bound.get(0, false));
        Object step = bound.get(1);
        indent =
                step == None.NONE
                        ? null
                        : step instanceof String text
                                ? text
                                : " ".repeat((int) Math.max(0, Values.integer(step)));
        if (bound.isGiven(2)) {
            List<Object> pair = Values.elements(bound.get(2));
            if (pair.size() != 2) {
                throw new JinjaException("expected two separators, found " + pair.size());
            }
            itemSeparator = Values.string(pair.get(0));
            keySeparator = Values.string(pair.get(1));
        } else {
            itemSeparator = indent == null ? ", " : ",";
            keySeparator = ": ";
        }
        sorted = Values.isTrue(bound.get(3, false));
    }

    static String of(Object value, Arguments arguments) {
        Json json =
                new Json(
                        arguments.bind(
                                "tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"));
        json.write(value, 0);
        return json.out.toString();
    }

    private void write(Object value, int depth) {
        if (value instanceof String || value instanceof SafeText) {
            quote(Values.text(value));
        } else if (value instanceof Boolean || value == None.NONE || value instanceof Number) {
            out.append(scalar(value));
        } else if (value instanceof List<?> list) {
            writeAll(List.copyOf(list), '[', ']', depth);
        } else if (value instanceof Map<?, ?> map) {
            List<Object> entries = new ArrayList<>(map.entrySet());
            if (sorted) {
                entries.sort(
                        (a, b) ->
                                Operators.order(
                                        "<",
                                        ((Map.Entry<?, ?>) a).getKey(),
                                        ((Map.Entry<?, ?>) b).getKey()));
            }
            writeAll(entries, '{', '}', depth);
        } else {
            throw new JinjaException(
                    "object of type " + Values.typeName(value) + " is not JSON serializable");
        }
    }

    private static String scalar(Object value) {
        if (value instanceof Double number && (number.isNaN() || number.isInfinite())) {
            return number.isNaN() ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
        }
        return value == None.NONE
                ? "null"
                : value instanceof Boolean ? value.toString() : Values.repr(value);
    }

    private void writeAll(List<Object> elements, char open, char close, int depth) {
        out.append(open);
        boolean first = true;
        for (Object element : elements) {
            if (!first) {
                out.append(itemSeparator);
            }
            first = false;
            newLine(depth + 1);
            if (element instanceof Map.Entry<?, ?> entry) {
                Object key = entry.getKey();
                quote(key instanceof String text ? text : scalar(key));
                out.append(keySeparator);
                write(entry.getValue(), depth + 1);
            } else {
                write(element, depth + 1);
            }
        }
        if (!first) {
            newLine(depth);
        }
        out.append(close);
    }

    private void newLine(int depth) {
        if (indent != null) {
            out.append('\n').append(indent.repeat(depth));
        }
    }

    private void quote(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || (ascii && c > 0x7e)) {
                        out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
