package io.peft4j.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code namespace(…)} makes: attributes that inner scopes can set. */
record Namespace(Map<String, Object> attributes) {

    static Namespace of(Arguments arguments) {
        Map<String, Object> attributes = new LinkedHashMap<>();
        for (Object argument : arguments.positional()) {
            if (!(argument instanceof Map<?, ?> map)) {
                throw new JinjaException("namespace() expects a mapping or named arguments");
            }
            map.forEach((key, value) -> attributes.put(Values.text(key), value));
        }
        attributes.putAll(arguments.named());
        return new Namespace(attributes);
    }
}
