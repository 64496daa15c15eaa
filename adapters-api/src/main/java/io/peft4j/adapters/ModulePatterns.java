package io.peft4j.adapters;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;

/**
 * Values for modules that match a pattern, as PEFT's {@code rank_pattern} and {@code
 * alpha_pattern}: a key is a regular expression for the module's path or for a dotted end of it,
 * and the first key that matches wins.
 */
public final class ModulePatterns {

    private final Map<String, Double> values;
    private final Map<Pattern, Double> compiled = new LinkedHashMap<>();

    private ModulePatterns(Map<String, Double> values) {
        this.values = new LinkedHashMap<>(values);
        values.forEach((key, value) -> compiled.put(compile(key), value));
    }

    /**
     * Creates a table.
     *
     * @param values the values by pattern, in order of precedence
     * @return the table
     * @throws AdapterConfigException if a key is not a regular expression
     */
    public static ModulePatterns of(Map<String, ? extends Number> values) {
        Map<String, Double> wide = new LinkedHashMap<>();
        values.forEach((key, value) -> wide.put(key, value.doubleValue()));
        return new ModulePatterns(wide);
    }

    /**
     * Finds the value of a module.
     *
     * @param module the dotted path
     * @return the value of the first pattern that matches
     */
    public Optional<Double> lookup(String module) {
        return compiled.entrySet().stream()
                .filter(entry -> entry.getKey().matcher(module).matches())
                .map(Map.Entry::getValue)
                .findFirst();
    }

    /**
     * Finds the patterns that match none of the modules, which are most often mistakes.
     *
     * @param modules dotted paths
     * @return the keys without a match
     */
    public List<String> unmatched(Collection<String> modules) {
        return values.keySet().stream()
                .filter(key -> modules.stream().noneMatch(compile(key).asMatchPredicate()))
                .collect(Collectors.toList());
    }

    /**
     * Returns the table as it was given.
     *
     * @return the values by pattern
     */
    public Map<String, Double> values() {
        return Collections.unmodifiableMap(values);
    }

    private static Pattern compile(String key) {
        try {
            return Pattern.compile("(.*\\.)?(" + key + ")");
        } catch (PatternSyntaxException e) {
            throw new AdapterConfigException(
                    "pattern \"" + key + "\" is not a regular expression: " + e.getDescription(),
                    e);
        }
    }
}
