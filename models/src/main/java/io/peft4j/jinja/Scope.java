package io.peft4j.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Variables of a loop's turn, of a macro or of the whole template. */
final class Scope {

    private final Map<String, Object> variables = new HashMap<>();
    private final @Nullable Scope outer;

    Scope(@Nullable Scope outer) {
        this.outer = outer;
    }

    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return Undefined.variable(name);
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }
}
