package io.peft4j.adapters;

import io.peft4j.adapters.Selection.Target;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Decides which modules an adapter attaches to, by PEFT 0.21's rules.
 *
 * <ol>
 *   <li>exclude_modules keeps a module out, and so does lying at or below a module of
 *       modules_to_save.
 *   <li>target_modules takes it: see {@link ModuleFilter}.
 *   <li>layers_to_transform keeps, of what a list of names took by its suffix, the modules whose
 *       layer index is listed; a module named by its full path stays.
 *   <li>rank_pattern and alpha_pattern give single modules another rank or alpha.
 * </ol>
 *
 * <p>Unlike PEFT, which passes over an entry that matches nothing as long as another one matches,
 * {@link #select} throws, unless {@link Builder#optAllowUnmatched} says otherwise.
 *
 * <p>Half of this file is the documented builder.
 */
public final class TargetModules {

    private final ModuleFilter targets;
    private final ModuleFilter exclude;
    private final List<String> modulesToSave;
    private final @Nullable List<Integer> layers;
    private final List<String> layersPattern;
    private final PatternValues<Integer> ranks;
    private final PatternValues<Double> alphas;
    private final boolean allowUnmatched;

    private TargetModules(Builder builder, ModuleFilter targets) {
        this.targets = targets;
        this.exclude = builder.exclude;
        this.modulesToSave = builder.modulesToSave;
        this.layers = builder.layers;
        this.layersPattern = builder.layersPattern == null ? List.of() : builder.layersPattern;
        this.ranks = new PatternValues<>(builder.ranks);
        this.alphas = new PatternValues<>(builder.alphas);
        this.allowUnmatched = builder.allowUnmatched;
    }

    /**
     * Returns a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Selects the modules of a model; nothing is changed, so this is the dry run too.
     *
     * <p>A path can be selected that no adapter fits (a container, a norm): the caller checks, as
     * PEFT does.
     *
     * @param modulePaths the paths of all modules, in the model's order
     * @param linearPaths those that are linear layers, for {@code all-linear}
     * @param headPaths output heads, which {@code all-linear} leaves out
     * @return the selection
     * @throws AdapterConfigException if nothing is selected, or an entry matches nothing; the
     *     message lists near names
     */
    public Selection select(
            List<String> modulePaths, Set<String> linearPaths, Set<String> headPaths) {
        UnmatchedEntries unmatched = new UnmatchedEntries(modulePaths);
        Predicate<String> keptOut = keptOut(unmatched);
        LayerFilter layerFilter =
                new LayerFilter(layers == null ? List.of() : layers, layersPattern);
        Predicate<String> wanted =
                wanted(modulePaths, linearPaths, headPaths, layerFilter, unmatched);

        List<String> selected = new ArrayList<>();
        List<String> excluded = new ArrayList<>();
        for (String path : modulePaths) {
            if (keptOut.test(path)) {
                excluded.add(path);
            } else if (wanted.test(path)) {
                selected.add(path);
            }
        }
        unmatched.addAll("layers_to_transform", layerFilter.unseen());
        unmatched.addAll("rank_pattern", ranks.unmatched(selected));
        unmatched.addAll("alpha_pattern", alphas.unmatched(selected));
        Selection selection =
                new Selection(
                        selected.stream().map(this::target).toList(),
                        excluded,
                        unmatched.entries());
        check(selection, unmatched);
        return selection;
    }

    private Predicate<String> keptOut(UnmatchedEntries unmatched) {
        Predicate<String> excludes =
                exclude.isEmpty()
                        ? path -> false
                        : exclude.pattern() == null
                                ? byName(exclude.names())
                                : PythonRegex.compile(exclude.pattern())::matchesWhole;
        unmatched.addFrom("exclude_modules", exclude, excludes);
        List<PythonRegex> saved =
                modulesToSave.stream()
                        .map(name -> PythonRegex.compile("(^|.*\\.)" + name + "($|\\..*)"))
                        .toList();
        return path -> excludes.test(path) || saved.stream().anyMatch(s -> s.matchesStart(path));
    }

    private Predicate<String> wanted(
            List<String> paths,
            Set<String> linearPaths,
            Set<String> headPaths,
            LayerFilter layerFilter,
            UnmatchedEntries unmatched) {
        String pattern = targets.pattern();
        if (targets.isAllLinear()) {
            return path -> linearPaths.contains(path) && !headPaths.contains(path);
        }
        if (pattern != null) {
            Predicate<String> matches = PythonRegex.compile(pattern)::matchesWhole;
            unmatched.addFrom("target_modules", targets, matches);
            return matches;
        }
        unmatched.addFrom("target_modules", targets, byName(targets.names()));
        List<String> names = CondensedNames.of(targets.names(), paths);
        Predicate<String> byName = byName(names);
        Set<String> exact = Set.copyOf(names);
        return path -> exact.contains(path) || (byName.test(path) && layerFilter.accepts(path));
    }

    private static Predicate<String> byName(Collection<String> names) {
        return path -> names.stream().anyMatch(name -> ModuleFilter.nameMatches(name, path));
    }

    private Target target(String path) {
        Integer rank = ranks.valueOf(path);
        Double alpha = alphas.valueOf(path);
        return new Target(
                path,
                rank == null ? OptionalInt.empty() : OptionalInt.of(rank),
                alpha == null ? OptionalDouble.empty() : OptionalDouble.of(alpha));
    }

    private void check(Selection selection, UnmatchedEntries unmatched) {
        if (!selection.unmatched().isEmpty()
                && (!allowUnmatched || selection.targets().isEmpty())) {
            throw new AdapterConfigException(unmatched.message());
        }
        if (selection.targets().isEmpty()) {
            throw new AdapterConfigException(
                    "expected at least one target module, found none: target_modules "
                            + (targets.pattern() == null ? targets.names() : targets.pattern())
                            + (selection.excluded().isEmpty()
                                    ? ""
                                    : "; kept out: " + selection.excluded().size() + " modules")
                            + (layers == null ? "" : "; layers_to_transform " + layers));
        }
    }

    /** Collects the rules; {@link #setTargets} is required. */
    public static final class Builder {

        private @Nullable ModuleFilter targets;
        private ModuleFilter exclude = ModuleFilter.of();
        private List<String> modulesToSave = List.of();
        private @Nullable List<Integer> layers;
        private @Nullable List<String> layersPattern;
        private Map<String, Integer> ranks = Map.of();
        private Map<String, Double> alphas = Map.of();
        private boolean allowUnmatched;

        private Builder() {}

        /**
         * Sets target_modules.
         *
         * @param filter names, an expression, or all-linear
         * @return this builder
         */
        public Builder setTargets(ModuleFilter filter) {
            this.targets = filter;
            return this;
        }

        /**
         * Sets exclude_modules.
         *
         * @param filter names or an expression; it goes before everything else
         * @return this builder
         */
        public Builder optExclude(ModuleFilter filter) {
            this.exclude = filter;
            return this;
        }

        /**
         * Sets modules_to_save, which are never targets, nor is what lies below them.
         *
         * @param names paths or parts of them, each a regular expression
         * @return this builder
         */
        public Builder optModulesToSave(List<String> names) {
            this.modulesToSave = List.copyOf(names);
            return this;
        }

        /**
         * Sets layers_to_transform; needs a list of target names.
         *
         * @param indices layer indices from 0; an empty list selects nothing by layer
         * @return this builder
         */
        public Builder optLayersToTransform(List<Integer> indices) {
            this.layers = List.copyOf(indices);
            return this;
        }

        /**
         * Sets layers_pattern; needs layers_to_transform.
         *
         * @param names what the module list is called, such as {@code "layers"} or {@code "h"}
         * @return this builder
         */
        public Builder optLayersPattern(List<String> names) {
            this.layersPattern = List.copyOf(names);
            return this;
        }

        /**
         * Sets rank_pattern.
         *
         * @param ranks expression for the end of a path, and rank; the first match wins
         * @return this builder
         */
        public Builder optRankPattern(Map<String, Integer> ranks) {
            this.ranks = Collections.unmodifiableMap(new LinkedHashMap<>(ranks));
            return this;
        }

        /**
         * Sets alpha_pattern.
         *
         * @param alphas expression for the end of a path, and alpha; the first match wins
         * @return this builder
         */
        public Builder optAlphaPattern(Map<String, Double> alphas) {
            this.alphas = Collections.unmodifiableMap(new LinkedHashMap<>(alphas));
            return this;
        }

        /**
         * Passes over entries that match nothing, as PEFT does, as long as something is selected.
         *
         * @param allow true to pass over them; they are then listed in {@link Selection#unmatched}
         * @return this builder
         */
        public Builder optAllowUnmatched(boolean allow) {
            this.allowUnmatched = allow;
            return this;
        }

        /**
         * Builds the rules.
         *
         * @return the rules
         * @throws AdapterConfigException if they contradict each other or an expression is broken
         */
        public TargetModules build() {
            ModuleFilter filter = targets;
            if (filter == null || filter.isEmpty()) {
                throw new AdapterConfigException(
                        "expected target_modules: names, a regular expression or all-linear, found"
                                + " none");
            }
            if (filter.pattern() != null && (layers != null || layersPattern != null)) {
                throw new AdapterConfigException(
                        "expected target_modules to be a list of names beside "
                                + (layers != null ? "layers_to_transform" : "layers_pattern")
                                + ", found \""
                                + filter.pattern()
                                + "\"");
            }
            if (layers == null && layersPattern != null && !layersPattern.isEmpty()) {
                throw new AdapterConfigException(
                        "expected layers_to_transform beside layers_pattern "
                                + layersPattern
                                + ", found none");
            }
            ranks.forEach(
                    (key, rank) -> {
                        if (rank <= 0) {
                            throw new AdapterConfigException(
                                    "rank_pattern: expected a rank of at least 1 for \""
                                            + key
                                            + "\", found "
                                            + rank);
                        }
                    });
            return new TargetModules(this, filter);
        }
    }
}
