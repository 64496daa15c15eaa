package io.peft4j.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What can stand behind {@code is}. */
final class Tests {

    /** Tells something of a value. */
    @FunctionalInterface
    interface Test {
        boolean holds(Object value, Arguments arguments);
    }

    private static final Map<String, Test> ALL = new HashMap<>();

    static {
        plain("defined", value -> !(value instanceof Undefined));
        plain("undefined", value -> value instanceof Undefined);
        plain("none", value -> value == None.NONE);
        plain("boolean", value -> value instanceof Boolean);
        plain("true", value -> value.equals(true));
        plain("false", value -> value.equals(false));
        plain("integer", value -> value instanceof Long);
        plain("float", value -> value instanceof Double);
        plain("number", value -> value instanceof Number || value instanceof Boolean);
        plain("string", value -> value instanceof String || value instanceof SafeText);
        plain("mapping", value -> value instanceof Map<?, ?>);
        plain("iterable", Tests::isIterable);
        plain("sequence", Tests::isIterable);
        plain("callable", value -> value instanceof Function);
        plain("odd", value -> Math.floorMod(Values.integer(value), 2) == 1);
        plain("even", value -> Math.floorMod(Values.integer(value), 2) == 0);
        plain("lower", value -> isCase(Values.text(value), false));
        plain("upper", value -> isCase(Values.text(value), true));
        ALL.put("sameas", (value, a) -> isSame(value, a.bind("sameas", 1, "other").get(0)));
        ALL.put(
                "divisibleby",
                (value, a) -> {
                    Object divisor = a.bind("divisibleby", 1, "num").get(0);
                    return Operators.equal(Operators.apply("%", value, divisor), 0L);
                });
        comparison("==", "==", "eq", "equalto");
        comparison("!=", "!=", "ne");
        comparison("<", "<", "lt", "lessthan");
        comparison("<=", "<=", "le");
        comparison(">", ">", "gt", "greaterthan");
        comparison(">=", ">=", "ge");
        comparison("in", "in");
    }

    private Tests() {}

    static @Nullable Test find(String name) {
        return ALL.get(name);
    }

    private static void plain(String name, java.util.function.Predicate<Object> test) {
        ALL.put(
                name,
                (value, arguments) -> {
                    arguments.bind(name, 0);
                    return test.test(value);
                });
    }

    private static void comparison(String operator, String... names) {
        for (String name : names) {
            ALL.put(
                    name,
                    (value, arguments) ->
                            Operators.compare(
                                    operator, value, arguments.bind(name, 1, "other").get(0)));
        }
    }

    private static boolean isIterable(Object value) {
        return value instanceof String
                || value instanceof SafeText
                || value instanceof List<?>
                || value instanceof Map<?, ?>
                || value instanceof Undefined;
    }

    private static boolean isSame(Object value, Object other) {
        return value == other
                || ((value instanceof Boolean || value instanceof Long) && value.equals(other));
    }

    private static boolean isCase(String text, boolean upper) {
        String changed = upper ? text.toUpperCase(Locale.ROOT) : text.toLowerCase(Locale.ROOT);
        return text.equals(changed) && text.codePoints().anyMatch(Character::isLetter);
    }
}
