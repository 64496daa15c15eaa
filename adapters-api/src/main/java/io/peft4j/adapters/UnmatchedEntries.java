package io.peft4j.adapters;

import io.peft4j.text.NearestNames;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Collects the entries of a configuration that match no module, and what they may have meant. */
final class UnmatchedEntries {

    private static final int LISTED = 10;

    private record Entry(String setting, String value, Collection<String> candidates) {}

    private final List<Entry> entries = new ArrayList<>();

    /**
     * Adds the names that are no end of a path, or the expression if it matches no path.
     *
     * @param candidates paths that near names are taken from
     */
    void add(
            String setting,
            ModuleFilter filter,
            List<String> paths,
            Collection<String> candidates) {
        if (!filter.regex().isEmpty()) {
            if (paths.stream().noneMatch(filter.matches())) {
                entries.add(new Entry(setting, filter.regex(), candidates));
            }
            return;
        }
        Set<String> endings = new LinkedHashSet<>();
        paths.forEach(path -> endings.addAll(ModuleFilter.endings(path)));
        addAll(
                setting,
                filter.names().stream().filter(name -> !endings.contains(name)).toList(),
                candidates);
    }

    void addAll(String setting, List<?> values, Collection<String> candidates) {
        values.forEach(v -> entries.add(new Entry(setting, String.valueOf(v), candidates)));
    }

    void throwIfAny() {
        if (entries.isEmpty()) {
            return;
        }
        StringBuilder message =
                new StringBuilder("expected every entry to match a module, found no match for ");
        for (Entry entry : entries.subList(0, Math.min(LISTED, entries.size()))) {
            message.append(entry.setting)
                    .append(": ")
                    .append(entry.value)
                    .append(NearestNames.hint(entry.value, endings(entry)))
                    .append(" | ");
        }
        message.setLength(message.length() - 3);
        if (entries.size() > LISTED) {
            message.append(" | and ").append(entries.size() - LISTED).append(" more");
        }
        throw new AdapterConfigException(message.toString());
    }

    /** The last parts of the candidates, as many parts as the entry has. */
    private static Set<String> endings(Entry entry) {
        int dots = (int) entry.value.chars().filter(c -> c == '.').count();
        Set<String> endings = new LinkedHashSet<>();
        for (String path : entry.candidates) {
            List<String> all = ModuleFilter.endings(path);
            endings.add(all.get(Math.min(dots, all.size() - 1)));
        }
        return endings;
    }
}
