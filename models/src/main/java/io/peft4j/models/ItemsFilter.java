package io.peft4j.models;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Jinja2's filter {@code items}: the pairs of a mapping. */
final class ItemsFilter implements Filter {

    @Override
    public String getName() {
        return "items";
    }

    @Override
    public Object filter(
            @Nullable Object value, JinjavaInterpreter interpreter, String... arguments) {
        return value instanceof Map<?, ?> map ? map.entrySet() : List.of();
    }
}
