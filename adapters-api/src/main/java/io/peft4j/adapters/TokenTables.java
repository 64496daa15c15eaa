package io.peft4j.adapters;

import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;

/** Finds the tables whose rows an adapter trains: embeddings, or output heads of their own. */
final class TokenTables {

    private static final String SETTING = "trainable_token_indices";
    private static final String INPUT_EMBEDDING = "embed_tokens";

    private final BaseModel model;
    private final Set<Parameter> sites;
    private final Set<Parameter> whole;

    /**
     * Creates a finder.
     *
     * @param model the base model
     * @param sites the parameters that the adapter changes as target modules
     * @param whole the parameters that it trains whole
     */
    TokenTables(BaseModel model, Set<Parameter> sites, Set<Parameter> whole) {
        this.model = model;
        this.sites = sites;
        this.whole = whole;
    }

    /**
     * Finds the tables.
     *
     * @param tokens rows by module, as {@link TrainedInFull#tokens}
     * @return rows by table
     * @throws AdapterConfigException if a module or a row does not exist, or is changed otherwise
     */
    Map<BaseWeight, List<Integer>> select(Map<String, List<Integer>> tokens) {
        Map<BaseWeight, List<Integer>> selected = new LinkedHashMap<>();
        tokens.forEach(
                (name, indices) -> {
                    for (BaseWeight table : name.isEmpty() ? List.of(input()) : named(name)) {
                        requireRows(table, indices);
                        requireFree(table);
                        List<Integer> other = selected.putIfAbsent(table, indices);
                        if (other != null && !other.equals(indices)) {
                            throw complaint(
                                    table, "expected one list, found " + other + " and " + indices);
                        }
                    }
                });
        return selected;
    }

    /** A tied head's table is its embedding's. */
    private List<BaseWeight> named(String name) {
        Predicate<String> matches = ModuleFilter.byName(List.of(name));
        List<BaseWeight> tables = new ArrayList<>();
        List<String> paths = new ArrayList<>();
        for (BaseWeight weight : model.weights().values()) {
            Site.Kind kind = weight.site().kind();
            if (kind == Site.Kind.EMBEDDING || kind == Site.Kind.LINEAR) {
                String path = weight.site().path();
                paths.add(path);
                if (matches.test(path)) {
                    tables.add(weight.isTied() ? owner(weight) : weight);
                }
            }
        }
        UnmatchedEntries unmatched = new UnmatchedEntries();
        unmatched.add(SETTING, new ModuleFilter(List.of(name), ""), paths, paths);
        unmatched.throwIfAny();
        return tables;
    }

    private BaseWeight owner(BaseWeight tied) {
        String path = model.ties().ownerOf(tied.parameter());
        return Objects.requireNonNull(model.weights().get(path), path);
    }

    private BaseWeight input() {
        List<BaseWeight> embeddings =
                model.weights().values().stream()
                        .filter(weight -> weight.site().kind() == Site.Kind.EMBEDDING)
                        .toList();
        Predicate<String> usual = ModuleFilter.byName(List.of(INPUT_EMBEDDING));
        List<BaseWeight> likely =
                embeddings.size() == 1
                        ? embeddings
                        : embeddings.stream().filter(w -> usual.test(w.site().path())).toList();
        if (likely.size() != 1) {
            throw new AdapterConfigException(
                    SETTING
                            + " without a module mean the input embedding, which must be the only"
                            + " embedding or be called "
                            + INPUT_EMBEDDING
                            + "; name it by its module: the model's embeddings are "
                            + embeddings.stream().map(weight -> weight.site().path()).toList());
        }
        return likely.get(0);
    }

    private static void requireRows(BaseWeight table, List<Integer> indices) {
        long entries = table.site().shape().get(0);
        if (indices.isEmpty()) {
            throw complaint(table, "expected at least one row, found none");
        }
        Set<Integer> seen = new HashSet<>();
        for (int index : indices) {
            if (index < 0 || index >= entries) {
                throw complaint(
                        table,
                        "expected rows from 0 to "
                                + (entries - 1)
                                + " (the vocabulary has "
                                + entries
                                + "), found "
                                + index);
            }
            if (!seen.add(index)) {
                throw complaint(
                        table,
                        "expected each of the "
                                + entries
                                + " rows once, found "
                                + index
                                + " twice");
            }
        }
    }

    /** As PEFT, which puts one adapter on a module. */
    private void requireFree(BaseWeight table) {
        boolean site = sites.contains(table.parameter());
        if (site || whole.contains(table.parameter())) {
            throw complaint(
                    table,
                    "the adapter changes this weight already, "
                            + (site ? "as a target module" : "as one of modules_to_save")
                            + "; choose one of the two");
        }
    }

    private static AdapterConfigException complaint(BaseWeight table, String what) {
        return new AdapterConfigException(SETTING + " of " + table.site().path() + ": " + what);
    }
}
