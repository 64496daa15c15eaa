package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Names modules as PEFT's {@code target_modules} and {@code exclude_modules} do: a list of names or
 * one regular expression. An empty list and an empty expression stand for nothing at all.
 *
 * @param names each means the module of that path, and those whose path ends with a dot and it
 * @param regex an expression in Python's syntax that must match the whole path, or an empty string
 */
record ModuleFilter(List<String> names, String regex) {

    ModuleFilter {
        names = names.stream().distinct().toList();
        if (!regex.isEmpty() && !names.isEmpty()) {
            throw new AdapterConfigException(
                    "expected module names or a regular expression, found both: "
                            + names
                            + " and \""
                            + regex
                            + "\"");
        }
        PythonRegex.compile(regex);
    }

    boolean isEmpty() {
        return names.isEmpty() && regex.isEmpty();
    }

    Predicate<String> matches() {
        return regex.isEmpty() ? byName(names) : PythonRegex.compile(regex)::matchesWhole;
    }

    static Predicate<String> byName(List<String> names) {
        Set<String> known = new HashSet<>(names);
        return path -> endings(path).stream().anyMatch(known::contains);
    }

    /** The path itself, that of the module it lies in, and so on up to the root's child. */
    static List<String> above(String path) {
        List<String> above = new ArrayList<>();
        for (int end = path.length(); end > 0; end = path.lastIndexOf('.', end - 1)) {
            above.add(path.substring(0, end));
        }
        return above;
    }

    /** The last part of a path, the last two parts, and so on to the whole path. */
    static List<String> endings(String path) {
        List<String> endings = new ArrayList<>();
        for (int dot = path.lastIndexOf('.'); dot >= 0; dot = path.lastIndexOf('.', dot - 1)) {
            endings.add(path.substring(dot + 1));
        }
        endings.add(path);
        return endings;
    }
}
