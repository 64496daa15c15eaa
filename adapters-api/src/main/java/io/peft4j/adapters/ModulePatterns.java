package io.peft4j.adapters;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Values for modules that match a pattern, as PEFT's {@code rank_pattern} and {@code
 * alpha_pattern}: a key is a regular expression in Python's syntax for the module's path or for a
 * dotted end of it, and the first key that matches wins.
 */
public final class ModulePatterns {

    private final Map<String, Double> values;
    private final Map<String, PythonRegex> expressions = new LinkedHashMap<>();

    private ModulePatterns(Map<String, Double> values) {
        this.values = values;
        for (String key : values.keySet()) {
            expressions.put(key, PythonRegex.compile("(.*\\.)?(" + key + ")$"));
        }
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
        return expressions.entrySet().stream()
                .filter(entry -> entry.getValue().matchesStart(module))
                .findFirst()
                .map(entry -> values.get(entry.getKey()));
    }

    /**
     * Finds the patterns that match none of the modules, even where another pattern would have come
     * first. They are most often mistakes.
     *
     * @param modules dotted paths
     * @return the keys without a match
     */
    public List<String> unmatched(Collection<String> modules) {
        return expressions.entrySet().stream()
                .filter(entry -> modules.stream().noneMatch(entry.getValue()::matchesStart))
                .map(Map.Entry::getKey)
                .toList();
    }

    /**
     * Makes sure that each pattern matches one of the modules.
     *
     * @param setting what the table is called in the message, such as {@code rank_pattern}
     * @param modules dotted paths
     * @throws AdapterConfigException if a pattern matches none; the message lists near names
     */
    public void requireMatches(String setting, Collection<String> modules) {
        UnmatchedEntries unmatched = new UnmatchedEntries();
        unmatched.addAll(setting, unmatched(modules), modules);
        unmatched.throwIfAny();
    }

    /**
     * Returns the table as it was given.
     *
     * @return the values by pattern
     */
    public Map<String, Double> values() {
        return Collections.unmodifiableMap(values);
    }
}
