package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What stands behind a dot and between brackets. */
final class Attributes {

    private Attributes() {}

    /** {@code owner.name}: a method, or else an element. */
    static Object attribute(Object owner, String name) {
        requireDefined(owner);
        Object own = own(owner, name);
        if (own != null) {
            return own;
        }
        Object element = owner instanceof Map<?, ?> map ? map.get(name) : null;
        return element != null ? element : Undefined.attribute(owner, name);
    }

    /** {@code owner[key]}: an element, or else a method. */
    static Object item(Object owner, Object key) {
        requireDefined(owner);
        if (owner instanceof Map<?, ?> map) {
            Object element = map.get(key);
            if (element != null) {
                return element;
            }
        } else if (isSequence(owner) && (key instanceof Long || key instanceof Boolean)) {
            return indexed(owner, Values.integer(key));
        }
        Object own = key instanceof String name ? own(owner, name) : null;
        return own != null ? own : Undefined.element(owner, key);
    }

    /** {@code owner[from:to:step]}, each None if it is left out. */
    static Object slice(Object owner, Object from, Object to, Object step) {
        requireDefined(owner);
        if (!isSequence(owner)) {
            throw new JinjaException(
                    "a slice needs a string or a list, found " + Values.typeName(owner));
        }
        List<Object> all =
                Values.elements(owner instanceof SafeText ? Values.string(owner) : owner);
        long stride = step == None.NONE ? 1 : Values.integer(step);
        if (stride == 0) {
            throw new JinjaException("slice step cannot be zero");
        }
        int size = all.size();
        long begin = bound(from, size, stride, stride < 0 ? size - 1 : 0);
        long end = bound(to, size, stride, stride < 0 ? -1 : size);
        List<Object> chosen = new ArrayList<>();
        for (long i = begin; stride > 0 ? i < end : i > end; i += stride) {
            chosen.add(all.get((int) i));
        }
        if (owner instanceof Tuple) {
            return new Tuple(chosen);
        }
        if (owner instanceof String) {
            StringBuilder text = new StringBuilder();
            chosen.forEach(character -> text.append(Values.text(character)));
            return text.toString();
        }
        return chosen;
    }

    private static long bound(Object given, int size, long stride, long orElse) {
        if (given == None.NONE) {
            return orElse;
        }
        long index = Values.integer(given);
        if (index < 0) {
            index += size;
        }
        return stride > 0
                ? Math.max(0, Math.min(index, size))
                : Math.max(-1, Math.min(index, size - 1));
    }

    private static void requireDefined(Object owner) {
        if (owner instanceof Undefined undefined) {
            throw undefined.refused();
        }
    }

    private static boolean isSequence(Object owner) {
        return owner instanceof List<?> || owner instanceof String || owner instanceof SafeText;
    }

    private static Object indexed(Object owner, long index) {
        List<Object> all =
                Values.elements(owner instanceof SafeText ? Values.string(owner) : owner);
        long at = index < 0 ? index + all.size() : index;
        return at < 0 || at >= all.size() ? Undefined.element(owner, index) : all.get((int) at);
    }

    private static @Nullable Object own(Object owner, String name) {
        if (owner instanceof SafeText) {
            throw new JinjaException("text marked as safe can only be printed or joined");
        }
        if (owner instanceof String text) {
            return StringMethods.of(text, name);
        }
        if (owner instanceof Map<?, ?> map) {
            return ofMap(map, name);
        }
        if (owner instanceof List<?> list) {
            return ofList(list, name);
        }
        if (owner instanceof Namespace namespace) {
            return namespace.attributes().get(name);
        }
        return owner instanceof Loop loop ? loop.attribute(name) : null;
    }

    private static @Nullable Function ofMap(Map<?, ?> map, String name) {
        return switch (name) {
            case "get" ->
                    arguments -> {
                        Arguments.Bound bound = arguments.bind("get", 1, "key", "default");
                        Object value = map.get(bound.get(0));
                        return value == null ? bound.get(1) : value;
                    };
            case "items" ->
                    arguments -> {
                        arguments.bind("items", 0);
                        return pairs(map);
                    };
            case "keys" ->
                    arguments -> {
                        arguments.bind("keys", 0);
                        return new ArrayList<Object>(map.keySet());
                    };
            case "values" ->
                    arguments -> {
                        arguments.bind("values", 0);
                        return new ArrayList<Object>(map.values());
                    };
            case "clear", "pop", "popitem", "setdefault", "update", "copy", "fromkeys" ->
                    arguments -> {
                        throw new JinjaException("dict." + name + "() is not for templates");
                    };
            default -> null;
        };
    }

    static List<Object> pairs(Map<?, ?> map) {
        List<Object> pairs = new ArrayList<>();
        map.forEach((key, value) -> pairs.add(Tuple.of(key, value)));
        return pairs;
    }

    private static @Nullable Function ofList(List<?> list, String name) {
        return switch (name) {
            case "index" ->
                    arguments -> {
                        Object wanted = arguments.bind("index", 1, "value").get(0);
                        for (int i = 0; i < list.size(); i++) {
                            if (Operators.equal(list.get(i), wanted)) {
                                return (long) i;
                            }
                        }
                        throw new JinjaException(Values.repr(wanted) + " is not in list");
                    };
            case "count" ->
                    arguments -> {
                        Object wanted = arguments.bind("count", 1, "value").get(0);
                        return list.stream().filter(e -> Operators.equal(e, wanted)).count();
                    };
            case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse" ->
                    arguments -> {
                        throw new JinjaException("list." + name + "() is not for templates");
                    };
            default -> null;
        };
    }
}
