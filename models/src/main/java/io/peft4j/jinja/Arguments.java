package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The arguments of a call, a filter or a test. */
record Arguments(List<Object> positional, Map<String, Object> named) {

    static final Arguments NONE = new Arguments(List.of(), Map.of());

    /** Gives each parameter its argument, as Python does. */
    Bound bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new JinjaException(
                    function
                            + "() takes at most "
                            + parameters.length
                            + " arguments, found "
                            + positional.size());
        }
        @Nullable Object[] values = new @Nullable Object[parameters.length];
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        List<String> names = List.of(parameters);
        named.forEach(
                (name, value) -> {
                    int at = names.indexOf(name);
                    if (at < 0 || values[at] != null) {
                        throw new JinjaException(
                                function
                                        + "() got "
                                        + (at < 0 ? "an unknown" : "a second")
                                        + " argument '"
                                        + name
                                        + "'");
                    }
                    values[at] = value;
                });
        for (int i = 0; i < required; i++) {
            if (values[i] == null) {
                throw new JinjaException(function + "() needs the argument '" + names.get(i) + "'");
            }
        }
        return new Bound(values);
    }

    /** The same without the first ones. */
    Arguments from(int count) {
        return new Arguments(new ArrayList<>(positional.subList(count, positional.size())), named);
    }

    /** Arguments by parameter. */
    static final class Bound {

        private final @Nullable Object[] values;

        private Bound(@Nullable Object[] values) {
            this.values = values;
        }

        Object get(int parameter, Object orElse) {
            Object value = values[parameter];
            return value == null ? orElse : value;
        }

        Object get(int parameter) {
            return get(parameter, None.NONE);
        }

        String text(int parameter) {
            Object value = get(parameter);
            if (!(value instanceof String text)) {
                throw new JinjaException("expected a string, found " + Values.typeName(value));
            }
            return text;
        }

        boolean isGiven(int parameter) {
            Object value = values[parameter];
            return value != null && value != None.NONE;
        }
    }
}
