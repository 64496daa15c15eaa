package io.peft4j.adapters;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.BaseModel.Named;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * What an adapter trains itself beside its sites: whole modules, biases and rows of embeddings. The
 * adapter has its own copy of each, so that the base stays as it is.
 *
 * <p>Keys are PEFT's: what an adapted module has of its own lies one level deeper, {@code
 * fc.base_layer.bias}, than in other modules, {@code fc.bias}.
 */
final class OwnParameters {

    private final BaseModel model;
    private final AdapterConfig config;
    private final TrainedInFull wanted;
    private final Set<Parameter> sites = identitySet();
    private final Set<String> adaptedModules = new HashSet<>();

    /** What is changed already: as a site, or as part of a module that is trained whole. */
    private final Set<Object> taken = identitySet();

    OwnParameters(BaseModel model, AdapterConfig config, List<BaseWeight> adapted) {
        this.model = model;
        this.config = config;
        wanted = config.trainedInFull();
        for (BaseWeight weight : adapted) {
            sites.add(weight.parameter());
            taken.add(weight.use());
        }
        for (Named parameter : model.parameters()) {
            if (taken.contains(parameter.use())) {
                adaptedModules.add(parameter.module());
            }
        }
    }

    private static <T> Set<T> identitySet() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    /**
     * Creates the copies.
     *
     * @param owner their manager
     * @param attachments takes each
     * @throws AdapterConfigException if a module or a row does not exist, or is changed twice
     */
    void attach(NDManager owner, Consumer<Attachment> attachments) {
        List<Named> parameters = new ArrayList<>(modulesToSave());
        Set<Parameter> saved = identitySet();
        parameters.forEach(parameter -> saved.add(parameter.parameter()));
        parameters.addAll(biases());
        for (Named parameter : parameters) {
            attachments.accept(whole(parameter, owner));
        }
        new TokenTables(model, sites, saved)
                .select(wanted.tokens())
                .forEach(
                        (table, rows) -> {
                            TokenRows state = new TokenRows(table, rows, owner);
                            String prefix = AdapterFiles.prefix(table.site().path());
                            attachments.accept(new Attachment(table, state, prefix, true));
                        });
    }

    private Attachment whole(Named named, NDManager owner) {
        Parameter parameter = named.parameter();
        Site site =
                new Site(
                        named.path(),
                        Site.Kind.MATRIX,
                        parameter.getShape(),
                        false,
                        false,
                        List.of());
        BaseWeight weight = new BaseWeight(site, parameter, named.use());
        List<String> ties = model.ties().of(weight);
        boolean deeper = adaptedModules.contains(named.module());
        return new Attachment(
                weight.tiedTo(ties),
                new WholeParameter(named.name(), parameter, owner),
                AdapterFiles.prefix(deeper ? named.module() + ".base_layer" : named.module()),
                config.ensureWeightTying() && !ties.isEmpty());
    }

    private List<Named> modulesToSave() {
        List<String> names = wanted.modulesToSave();
        if (names.isEmpty()) {
            return List.of();
        }
        List<String> paths = model.modules().keySet().stream().filter(p -> !p.isEmpty()).toList();
        Predicate<String> named = ModuleFilter.byName(names);
        boolean oneIsEnough = config.targetModules().isTolerant();
        if (!oneIsEnough || paths.stream().noneMatch(named)) {
            UnmatchedEntries unmatched = new UnmatchedEntries();
            unmatched.add("modules_to_save", new ModuleFilter(names, ""), paths, paths);
            unmatched.throwIfAny();
        }
        List<Named> parameters = new ArrayList<>();
        for (Named parameter : model.parameters()) {
            if (ModuleFilter.above(parameter.module()).stream().anyMatch(named)) {
                Named owned = config.ensureWeightTying() ? owned(parameter) : parameter;
                if (taken.add(owned.use())) {
                    parameters.add(owned);
                }
            }
        }
        if (parameters.isEmpty()) {
            throw new AdapterConfigException(
                    "modules_to_save " + names + " have no parameters that could be trained");
        }
        return parameters;
    }

    /** The embedding's table in the place of a tied head's. */
    private Named owned(Named named) {
        Parameter parameter = named.parameter();
        return named.use() == parameter
                ? named
                : new Named(model.ties().ownerOf(parameter), "weight", parameter, parameter);
    }

    private List<Named> biases() {
        if (wanted.bias() == TrainedInFull.Bias.NONE) {
            return List.of();
        }
        boolean all = wanted.bias() == TrainedInFull.Bias.ALL;
        return model.parameters().stream()
                .filter(named -> TorchNames.isBias(named.parameter(), named.name()))
                .filter(named -> all || adaptedModules.contains(named.module()))
                .filter(named -> taken.add(named.use()))
                .toList();
    }
}
