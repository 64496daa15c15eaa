package io.peft4j.adapters;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Names modules as PEFT's {@code target_modules} and {@code exclude_modules} do: a list of names or
 * one regular expression.
 *
 * <p>A name of the list means the module of exactly that path and every module whose path ends with
 * a dot and the name. The regular expression is Python's and must match the whole path. Instead of
 * one, {@code all-linear} (any case) means every linear layer but the output head.
 *
 * @param names the list; empty if there is an expression
 * @param pattern the expression or {@code all-linear}, or null if there is a list
 */
public record ModuleFilter(List<String> names, @Nullable String pattern) {

    private static final String ALL_LINEAR = "all-linear";

    /**
     * Checks that there is a list or an expression.
     *
     * @param names the list
     * @param pattern the expression
     */
    public ModuleFilter {
        names = names.stream().distinct().toList();
        if (pattern != null && !names.isEmpty()) {
            throw new AdapterConfigException(
                    "expected names or a regular expression, found both: "
                            + names
                            + " and \""
                            + pattern
                            + "\"");
        }
    }

    /**
     * Returns a list of names.
     *
     * @param names paths or their last parts, such as {@code "q_proj"}
     * @return the filter
     */
    public static ModuleFilter of(String... names) {
        return new ModuleFilter(List.of(names), null);
    }

    /**
     * Returns a list of names.
     *
     * @param names paths or their last parts
     * @return the filter
     */
    public static ModuleFilter of(List<String> names) {
        return new ModuleFilter(names, null);
    }

    /**
     * Returns a regular expression.
     *
     * @param pattern Python's syntax; must match whole paths
     * @return the filter
     */
    public static ModuleFilter matching(String pattern) {
        return new ModuleFilter(List.of(), pattern);
    }

    /**
     * Returns the filter for every linear layer but the output head.
     *
     * @return the filter
     */
    public static ModuleFilter allLinear() {
        return matching(ALL_LINEAR);
    }

    /**
     * Tells whether this is {@code all-linear}.
     *
     * @return true if so, in any case
     */
    public boolean isAllLinear() {
        return pattern != null && pattern.toLowerCase(Locale.ROOT).equals(ALL_LINEAR);
    }

    /** PEFT takes an empty list and an empty string for nothing at all. */
    boolean isEmpty() {
        return pattern == null ? names.isEmpty() : pattern.isEmpty();
    }

    static boolean nameMatches(String name, String path) {
        return path.equals(name)
                || (path.length() > name.length()
                        && path.endsWith(name)
                        && path.charAt(path.length() - name.length() - 1) == '.');
    }
}
