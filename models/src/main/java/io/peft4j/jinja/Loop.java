package io.peft4j.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The variable {@code loop}.
 *
 * @param elements what the loop goes over
 * @param index the place of the present one, from 0
 */
record Loop(List<Object> elements, int index) {

    @Nullable Object attribute(String name) {
        int size = elements.size();
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) size - index;
            case "revindex0" -> size - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == size - 1;
            case "length" -> (long) size;
            case "depth" -> 1L; // only recursive loops have more
            case "depth0" -> 0L;
            case "previtem" ->
                    index == 0
                            ? new Undefined("there is no previous item")
                            : elements.get(index - 1);
            case "nextitem" ->
                    index == size - 1
                            ? new Undefined("there is no next item")
                            : elements.get(index + 1);
            case "cycle" ->
                    (Function)
                            arguments -> {
                                List<Object> values = arguments.positional();
                                if (values.isEmpty()) {
                                    throw new JinjaException("no items for cycling given");
                                }
                                return values.get(index % values.size());
                            };
            default -> null;
        };
    }
}
