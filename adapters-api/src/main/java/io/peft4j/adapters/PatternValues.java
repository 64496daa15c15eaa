package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * PEFT's rank_pattern and alpha_pattern: a path's value is that of the first key, in the order of
 * the file, that matches the end of the path from a dot on.
 */
final class PatternValues<T extends Number> {

    private final Map<String, PythonRegex> expressions = new LinkedHashMap<>();
    private final Map<String, T> values;

    PatternValues(Map<String, T> values) {
        this.values = values;
        for (String key : values.keySet()) {
            expressions.put(key, PythonRegex.compile("(.*\\.)?(" + key + ")$"));
        }
    }

    @Nullable T valueOf(String path) {
        for (Map.Entry<String, PythonRegex> entry : expressions.entrySet()) {
            if (entry.getValue().matchesStart(path)) {
                return values.get(entry.getKey());
            }
        }
        return null;
    }

    /** Keys that match none of the paths, even where another key came first. */
    List<String> unmatched(List<String> paths) {
        List<String> keys = new ArrayList<>();
        expressions.forEach(
                (key, expression) -> {
                    if (paths.stream().noneMatch(expression::matchesStart)) {
                        keys.add(key);
                    }
                });
        return keys;
    }
}
