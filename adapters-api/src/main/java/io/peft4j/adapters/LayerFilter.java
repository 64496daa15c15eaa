package io.peft4j.adapters;

import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;

/**
 * PEFT's {@code layers_to_transform} and {@code layers_pattern}: keeps modules by the first layer
 * index in their path. No layers means all of them.
 */
final class LayerFilter {

    private final Set<Integer> wanted;
    private final List<PythonRegex> expressions;

    LayerFilter(List<Integer> layers, List<String> patterns) {
        this.wanted = new TreeSet<>(layers);
        this.expressions =
                patterns.isEmpty()
                        ? List.of(PythonRegex.compile(".*?\\.[^.]*\\.(?P<idx>\\d+)\\."))
                        : patterns.stream().map(LayerFilter::expression).toList();
    }

    // the pattern is not put in parentheses, as in PEFT: "layers|h" then reads as two whole halves
    private static PythonRegex expression(String pattern) {
        return PythonRegex.compile("(?:^|.*?\\.)" + pattern + "\\.(?P<idx>\\d+)\\.");
    }

    boolean accepts(String path) {
        if (wanted.isEmpty()) {
            return true;
        }
        OptionalInt index = index(path);
        return index.isPresent() && wanted.contains(index.getAsInt());
    }

    /** The wanted layers that none of the paths lies in. */
    List<Integer> unmatched(List<String> paths) {
        Set<Integer> unmatched = new TreeSet<>(wanted);
        paths.forEach(path -> index(path).ifPresent(unmatched::remove));
        return List.copyOf(unmatched);
    }

    private OptionalInt index(String path) {
        for (PythonRegex expression : expressions) {
            Matcher match = expression.matchAtStart(path);
            if (match != null) {
                String digits = expression.group(match, "idx");
                try {
                    return digits == null
                            ? OptionalInt.empty()
                            : OptionalInt.of(Integer.parseInt(digits));
                } catch (NumberFormatException e) {
                    return OptionalInt.empty(); // beyond an int, so no layer that anyone asked for
                }
            }
        }
        return OptionalInt.empty();
    }
}
