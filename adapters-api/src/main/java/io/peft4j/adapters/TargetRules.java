package io.peft4j.adapters;

import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Selects modules as PEFT does, in this order:
 *
 * <ol>
 *   <li>{@code exclude_modules} keeps a module out, and so does lying at or below a module of
 *       {@code modules_to_save};
 *   <li>{@code target_modules} takes it;
 *   <li>{@code layers_to_transform} keeps, of what a list of names took by its end, the modules in
 *       the listed layers; a module named by its whole path stays.
 * </ol>
 *
 * @param targets which modules to take; empty for all linear layers but the output embedding
 * @param exclude which modules to keep out
 * @param modulesToSave modules that are trained whole: paths or parts of them, each an expression
 * @param layers {@code layers_to_transform}; empty for all layers
 * @param layersPattern {@code layers_pattern}
 * @param tolerant whether to pass over an entry that matches nothing, as long as another one does
 */
record TargetRules(
        ModuleFilter targets,
        ModuleFilter exclude,
        List<String> modulesToSave,
        List<Integer> layers,
        List<String> layersPattern,
        boolean tolerant) {

    static final String ALL_LINEAR = "all-linear";

    TargetRules {
        if (!layers.isEmpty() && targets.names().isEmpty()) {
            throw new AdapterConfigException(
                    "layers_to_transform "
                            + layers
                            + " needs target modules by name, but they are "
                            + text(targets));
        }
        if (!layersPattern.isEmpty() && layers.isEmpty()) {
            throw new AdapterConfigException(
                    "layers_pattern " + layersPattern + " needs layers_to_transform");
        }
        // a malformed expression is refused now, not when a model is there
        new LayerFilter(layers, layersPattern);
        modulesToSave.forEach(TargetRules::atOrBelow);
    }

    boolean allLinear() {
        return targets.isEmpty();
    }

    /** See {@link TargetModules#select}. */
    List<String> select(
            Collection<String> modules,
            Set<String> linears,
            Set<String> others,
            Set<String> heads) {
        boolean rootIsSite = linears.contains("") || others.contains("");
        List<String> paths =
                modules.stream().filter(path -> rootIsSite || !path.isEmpty()).toList();
        LayerFilter layerFilter = new LayerFilter(layers, layersPattern);
        Predicate<String> kept = keptOut().negate();
        List<String> selected =
                paths.stream()
                        .filter(wanted(paths, linears, heads, layerFilter).and(kept))
                        .toList();
        if (!tolerant || selected.isEmpty()) {
            UnmatchedEntries unmatched = new UnmatchedEntries();
            Set<String> adaptable = new LinkedHashSet<>(linears);
            adaptable.addAll(others);
            unmatched.add("target_modules", targets, paths, adaptable);
            unmatched.add("exclude_modules", exclude, paths, paths);
            unmatched.addAll("layers_to_transform", layerFilter.unmatched(selected), List.of());
            unmatched.throwIfAny();
        }
        if (selected.isEmpty()) {
            long out = paths.stream().filter(kept.negate()).count();
            throw new AdapterConfigException(
                    "target modules "
                            + this
                            + " match nothing"
                            + (out == 0 ? "" : ", with " + out + " modules kept out")
                            + "; "
                            + endings(linears));
        }
        for (String path : selected) {
            if (!linears.contains(path) && !others.contains(path)) {
                throw new AdapterConfigException(
                        "target module "
                                + path
                                + " has no weight that an adapter can attach to; "
                                + endings(linears)
                                + (others.isEmpty()
                                        ? ""
                                        : ", its other weights are "
                                                + others.stream().sorted().limit(20).toList()));
            }
        }
        return selected;
    }

    private Predicate<String> keptOut() {
        List<PythonRegex> saved = modulesToSave.stream().map(TargetRules::atOrBelow).toList();
        return exclude.matches()
                .or(path -> saved.stream().anyMatch(expression -> expression.matchesStart(path)));
    }

    private static PythonRegex atOrBelow(String module) {
        return PythonRegex.compile("(^|.*\\.)" + module + "($|\\..*)");
    }

    private Predicate<String> wanted(
            List<String> paths, Set<String> linears, Set<String> heads, LayerFilter layerFilter) {
        if (allLinear()) {
            return path -> linears.contains(path) && !heads.contains(path);
        }
        if (!targets.regex().isEmpty()) {
            return targets.matches();
        }
        List<String> names = CondensedNames.of(targets.names(), paths);
        Predicate<String> whole = new HashSet<>(names)::contains;
        return whole.or(ModuleFilter.byName(names).and(layerFilter::accepts));
    }

    private static String endings(Set<String> linears) {
        return "the model's linear layers end in "
                + linears.stream()
                        .map(path -> ModuleFilter.endings(path).get(0))
                        .distinct()
                        .sorted()
                        .collect(Collectors.joining(", "));
    }

    private static String text(ModuleFilter targets) {
        if (targets.isEmpty()) {
            return ALL_LINEAR;
        }
        return targets.regex().isEmpty()
                ? String.join(",", targets.names())
                : "re:" + targets.regex();
    }

    /** The targets in the form that {@link TargetModules#parse} takes. */
    @Override
    public String toString() {
        return text(targets);
    }
}
