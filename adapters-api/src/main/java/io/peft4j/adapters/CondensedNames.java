package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

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
        Set<String> taken = new HashSet<>();
        for (String path : paths) {
            if (names.stream().noneMatch(name -> ModuleFilter.nameMatches(name, path))) {
                taken.addAll(suffixes(path));
            }
        }
        Set<String> condensed = new LinkedHashSet<>();
        for (List<String> suffixes : inPeftsOrder(names)) {
            String name = suffixes.get(suffixes.size() - 1);
            for (String suffix : suffixes) {
                if (condensed.contains(suffix) || taken.contains(suffix)) {
                    continue;
                }
                if (condensed.stream().noneMatch(shorter -> name.endsWith("." + shorter))) {
                    condensed.add(suffix);
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
        names.forEach(name -> all.add(suffixes(name)));
        all.sort(
                Comparator.comparing(
                        (List<String> suffixes) -> suffixes.toArray(new String[0]),
                        java.util.Arrays::compare));
        return all;
    }

    /** The last part, the last two parts, and so on to the whole path. */
    private static List<String> suffixes(String path) {
        List<String> suffixes = new ArrayList<>();
        for (int dot = path.lastIndexOf('.'); dot >= 0; dot = path.lastIndexOf('.', dot - 1)) {
            suffixes.add(path.substring(dot + 1));
        }
        suffixes.add(path);
        return suffixes;
    }
}
