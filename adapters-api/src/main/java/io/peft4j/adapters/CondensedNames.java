package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The shortest suffixes that stand for a long list of target names, as PEFT condenses it.
 *
 * <p>PEFT replaces a list of twenty names or more by such suffixes before it looks at
 * layers_to_transform. That matters: a full path is exempt from layers_to_transform, a suffix is
 * not, so the same list selects other modules once it is long enough.
 */
final class CondensedNames {

    private static final int MIN_NAMES = 20;

    private CondensedNames() {}

    static List<String> of(List<String> names, List<String> paths) {
        if (names.size() < MIN_NAMES) {
            return names;
        }
        Predicate<String> named = ModuleFilter.byName(names);
        Set<String> taken = new HashSet<>();
        for (String path : paths) {
            if (!named.test(path)) {
                taken.addAll(ModuleFilter.endings(path));
            }
        }
        Set<String> condensed = new LinkedHashSet<>();
        for (List<String> endings : inPeftsOrder(names)) {
            List<String> shorter = endings.subList(0, endings.size() - 1);
            for (String ending : endings) {
                if (condensed.contains(ending) || taken.contains(ending)) {
                    continue;
                }
                if (shorter.stream().noneMatch(condensed::contains)) {
                    condensed.add(ending);
                    break;
                }
            }
        }
        return condensed.isEmpty() || condensed.size() >= names.size()
                ? names
                : List.copyOf(condensed);
    }

    private static List<List<String>> inPeftsOrder(List<String> names) {
        List<List<String>> all = new ArrayList<>();
        names.forEach(name -> all.add(ModuleFilter.endings(name)));
        all.sort(
                Comparator.comparing(
                        (List<String> endings) -> endings.toArray(new String[0]), Arrays::compare));
        return all;
    }
}
