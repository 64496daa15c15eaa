package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What can stand behind a bar. */
final class Filters {

    /** Makes another value of a value. */
    @FunctionalInterface
    interface Filter {
        Object apply(Object value, Arguments arguments);
    }

    private static final Pattern WHOLE = Pattern.compile("[-+]?\\d{1,18}");
    private static final Map<String, Filter> ALL = new HashMap<>();

    static {
        ALL.put("trim", (value, a) -> StringMethods.strip(plain(value), a, "trim", true, true));
        ALL.put("upper", (value, a) -> plain(value).toUpperCase(Locale.ROOT));
        ALL.put("lower", (value, a) -> plain(value).toLowerCase(Locale.ROOT));
        ALL.put("capitalize", (value, a) -> StringMethods.capitalized(plain(value)));
        ALL.put("replace", (value, a) -> StringMethods.replace(plain(value), a));
        ALL.put("string", (value, a) -> value instanceof SafeText ? value : Values.text(value));
        ALL.put("safe", (value, a) -> new SafeText(Values.text(value)));
        ALL.put("escape", (value, a) -> new SafeText(SafeText.escape(value)));
        ALL.put("e", (value, a) -> new SafeText(SafeText.escape(value)));
        ALL.put("indent", Filters::indent);
        ALL.put("length", (value, a) -> Values.length(value));
        ALL.put("count", (value, a) -> Values.length(value));
        ALL.put("list", (value, a) -> Values.elements(value));
        ALL.put("first", (value, a) -> end(Values.elements(value), true));
        ALL.put("last", (value, a) -> end(Values.elements(value), false));
        ALL.put("reverse", (value, a) -> reverse(value));
        ALL.put("default", Filters::orElse);
        ALL.put("d", Filters::orElse);
        ALL.put("join", Filters::join);
        ALL.put("tojson", Json::of);
        ALL.put("items", (value, a) -> items(value));
        ALL.put("dictsort", Filters::dictsort);
        ALL.put("sort", Filters::sort);
        ALL.put("map", Filters::map);
        ALL.put("select", (value, a) -> select(value, a, false, true));
        ALL.put("reject", (value, a) -> select(value, a, false, false));
        ALL.put("selectattr", (value, a) -> select(value, a, true, true));
        ALL.put("rejectattr", (value, a) -> select(value, a, true, false));
        ALL.put("attr", (value, a) -> Attributes.attribute(value, a.bind("attr", 1, "n").text(0)));
        ALL.put("abs", (value, a) -> abs(value));
        ALL.put("int", Filters::integer);
        ALL.put("float", Filters::real);
    }

    private Filters() {}

    static @Nullable Filter find(String name) {
        return ALL.get(name);
    }

    private static String plain(Object value) {
        return value instanceof SafeText ? Values.string(value) : Values.text(value);
    }

    private static Object end(List<Object> elements, boolean first) {
        return elements.isEmpty()
                ? new Undefined("No " + (first ? "first" : "last") + " item, sequence was empty.")
                : elements.get(first ? 0 : elements.size() - 1);
    }

    private static Object reverse(Object value) {
        if (value instanceof String text) {
            return new StringBuilder(text).reverse().toString();
        }
        List<Object> elements = Values.elements(value);
        java.util.Collections.reverse(elements);
        return elements;
    }

    private static Object orElse(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("default", 0, "default_value", "boolean");
        boolean missing =
                value instanceof Undefined
                        || (Values.isTrue(bound.get(1, false)) && !Values.isTrue(value));
        return missing ? bound.get(0, "") : value;
    }

    private static Object join(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("join", 0, "d", "attribute");
        StringBuilder out = new StringBuilder();
        String separator = Values.text(bound.get(0, ""));
        boolean first = true;
        for (Object element : Values.elements(value)) {
            out.append(first ? "" : separator);
            Object part = bound.isGiven(1) ? path(element, bound.get(1)) : element;
            out.append(plain(part));
            first = false;
        }
        return out.toString();
    }

    private static Object items(Object value) {
        if (value instanceof Undefined) {
            return List.of();
        }
        if (!(value instanceof Map<?, ?> map)) {
            throw new JinjaException("Can only get item pairs from a mapping.");
        }
        return Attributes.pairs(map);
    }

    private static Object dictsort(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        if (!(value instanceof Map<?, ?> map)) {
            throw new JinjaException("dictsort expects a mapping");
        }
        boolean byValue = bound.get(1, "key").equals("value");
        Comparator<Object> order =
                order(
                        pair -> ((List<?>) pair).get(byValue ? 1 : 0),
                        Values.isTrue(bound.get(0, false)),
                        Values.isTrue(bound.get(2, false)));
        List<Object> pairs = Attributes.pairs(map);
        pairs.sort(order);
        return pairs;
    }

    private static Object sort(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        List<Object> elements = Values.elements(value);
        elements.sort(
                order(
                        bound.isGiven(2) ? element -> path(element, bound.get(2)) : e -> e,
                        Values.isTrue(bound.get(1, false)),
                        Values.isTrue(bound.get(0, false))));
        return elements;
    }

    private static Comparator<Object> order(
            java.util.function.Function<Object, Object> key, boolean caseSensitive, boolean back) {
        Comparator<Object> order =
                (a, b) ->
                        Operators.order(
                                "<",
                                folded(key.apply(a), caseSensitive),
                                folded(key.apply(b), caseSensitive));
        return back ? order.reversed() : order;
    }

    private static Object folded(Object value, boolean caseSensitive) {
        return !caseSensitive && value instanceof String text
                ? text.toLowerCase(Locale.ROOT)
                : value;
    }

    private static Object map(Object value, Arguments arguments) {
        List<Object> mapped = new ArrayList<>();
        if (arguments.positional().isEmpty()) {
            Arguments.Bound bound = arguments.bind("map", 0, "attribute", "default");
            for (Object element : Values.elements(value)) {
                Object part = path(element, bound.get(0));
                mapped.add(part instanceof Undefined ? bound.get(1, part) : part);
            }
            return mapped;
        }
        String name = Values.string(arguments.positional().get(0));
        Filter filter = find(name);
        if (filter == null) {
            throw new JinjaException("No filter named '" + name + "'.");
        }
        for (Object element : Values.elements(value)) {
            mapped.add(filter.apply(element, arguments.from(1)));
        }
        return mapped;
    }

    private static Object select(
            Object value, Arguments arguments, boolean byAttribute, boolean wanted) {
        List<Object> given = arguments.positional();
        int skipped = byAttribute ? 1 : 0;
        if (given.size() < skipped) {
            throw new JinjaException("selectattr needs the name of an attribute");
        }
        String name = given.size() > skipped ? Values.string(given.get(skipped)) : "";
        Tests.Test test =
                name.isEmpty() ? (element, none) -> Values.isTrue(element) : Tests.find(name);
        if (test == null) {
            throw new JinjaException("No test named '" + name + "'.");
        }
        Arguments rest = arguments.from(Math.min(given.size(), skipped + 1));
        List<Object> chosen = new ArrayList<>();
        for (Object element : Values.elements(value)) {
            Object tested = byAttribute ? path(element, given.get(0)) : element;
            if (test.holds(tested, rest) == wanted) {
                chosen.add(element);
            }
        }
        return chosen;
    }

    /** An element of an element, {@code a.b.0}. */
    private static Object path(Object value, Object path) {
        if (path instanceof Long) {
            return Attributes.item(value, path);
        }
        Object at = value;
        for (String part : Values.string(path).split("\\.", -1)) {
            at = Attributes.item(at, WHOLE.matcher(part).matches() ? Long.valueOf(part) : part);
        }
        return at;
    }

    private static Object indent(Object value, Arguments arguments) {
        Arguments.Bound bound = arguments.bind("indent", 0, "width", "first", "blank");
        Object width = bound.get(0, 4L);
        String indent =
                width instanceof String text ? text : " ".repeat((int) Values.integer(width));
        boolean blank = Values.isTrue(bound.get(2, false));
        StringBuilder out = new StringBuilder();
        boolean first = true;
        for (String line : (plain(value) + "\n").lines().toList()) {
            boolean indented =
                    first ? Values.isTrue(bound.get(1, false)) : blank || !line.isEmpty();
            out.append(first ? "" : "\n").append(indented ? indent : "").append(line);
            first = false;
        }
        return out.toString();
    }

    private static Object abs(Object value) {
        return value instanceof Double number ? Math.abs(number) : Math.abs(Values.integer(value));
    }

    private static Object integer(Object value, Arguments arguments) {
        Object orElse = arguments.bind("int", 0, "default").get(0, 0L);
        if (value instanceof Double number) {
            return number.isNaN() || number.isInfinite() ? orElse : (Object) number.longValue();
        }
        if (value instanceof String text) {
            String number = text.strip();
            return WHOLE.matcher(number).matches() ? (Object) Long.parseLong(number) : orElse;
        }
        return value instanceof Long || value instanceof Boolean
                ? (Object) Values.integer(value)
                : orElse;
    }

    private static Object real(Object value, Arguments arguments) {
        Object orElse = arguments.bind("float", 0, "default").get(0, 0.0);
        if (value instanceof Number number) {
            return number.doubleValue();
        }
        try {
            return value instanceof String text
                    ? (Object) Double.parseDouble(text.strip())
                    : orElse;
        } catch (NumberFormatException e) {
            return orElse;
        }
    }
}
