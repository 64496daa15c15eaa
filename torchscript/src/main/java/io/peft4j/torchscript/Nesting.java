package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * How deep the values of a pickle lie in each other. libtorch walks and frees them by recursion, so
 * that deep ones end the process. A list can be filled after it was put into another, and so the
 * depth is known in the end only; values that were replaced meanwhile count too, since libtorch has
 * made them as well.
 */
final class Nesting {

    static final int MAX_DEPTH = 200;

    private static final Integer UNKNOWN = -1;

    private final Function<Object, Iterable<@Nullable Object>> parts;
    private final List<Object> containers = new ArrayList<>();
    private final IdentityHashMap<Object, Integer> heights = new IdentityHashMap<>();

    Nesting(Function<Object, Iterable<@Nullable Object>> parts) {
        this.parts = parts;
    }

    /** Remembers a value that can hold others, and returns it. */
    <T> T add(T container) {
        containers.add(container);
        heights.put(container, UNKNOWN);
        return container;
    }

    /** How many values there are. */
    int size() {
        return containers.size();
    }

    /** Whether anything is nested too deep, or holds itself other than as an attribute. */
    boolean isTooDeep() {
        for (Object container : containers) {
            if (height(container, 1) > MAX_DEPTH) {
                return true;
            }
        }
        return false;
    }

    /** Recursion that is no deeper than what is allowed. */
    private int height(Object container, int level) {
        Integer known = heights.get(container);
        if (known == null) {
            return 0; // holds nothing
        }
        if (known >= 0) {
            return known;
        }
        if (level > MAX_DEPTH) {
            return MAX_DEPTH + 1;
        }
        int height = 1;
        for (Object part : parts.apply(container)) {
            if (part != null) {
                height = Math.max(height, 1 + height(part, level + 1));
            }
        }
        heights.put(container, height);
        return height;
    }
}
