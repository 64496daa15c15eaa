package io.peft4j.adapters;

import io.peft4j.text.NearestNames;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/** Collects the entries of a configuration that match no module, and what they may have meant. */
final class UnmatchedEntries {

    private final List<String> paths;
    private final List<String> entries = new ArrayList<>();
    private final List<String> hints = new ArrayList<>();

    UnmatchedEntries(List<String> paths) {
        this.paths = paths;
    }

    /** Adds the names that match nothing, or the expression if it does. */
    void addFrom(String key, ModuleFilter filter, Predicate<String> matches) {
        String pattern = filter.pattern();
        if (pattern != null) {
            if (!filter.isEmpty() && paths.stream().noneMatch(matches)) {
                add(key, pattern);
            }
            return;
        }
        for (String name : filter.names()) {
            if (paths.stream().noneMatch(path -> ModuleFilter.nameMatches(name, path))) {
                add(key, name);
            }
        }
    }

    void addAll(String key, List<?> values) {
        values.forEach(value -> add(key, String.valueOf(value)));
    }

    private void add(String key, String value) {
        entries.add(key + ": " + value);
        hints.add(NearestNames.hint(value, endings(value)));
    }

    List<String> entries() {
        return entries;
    }

    String message() {
        StringBuilder message =
                new StringBuilder("expected every entry to match a module, found no match for ");
        for (int i = 0; i < entries.size(); i++) {
            message.append(i == 0 ? "" : " | ").append(entries.get(i)).append(hints.get(i));
        }
        return message.toString();
    }

    /** The last parts of the paths, as many parts as the name has. */
    private Set<String> endings(String name) {
        long dots = name.chars().filter(c -> c == '.').count();
        Set<String> endings = new LinkedHashSet<>();
        for (String path : paths) {
            int from = path.length();
            for (int i = 0; i <= dots && from >= 0; i++) {
                from = path.lastIndexOf('.', from - 1);
            }
            endings.add(path.substring(from + 1));
        }
        return endings;
    }
}
