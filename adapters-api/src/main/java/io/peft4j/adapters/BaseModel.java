package io.peft4j.adapters;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a block tree consists of, as adapters see it: its modules, their parameters, its sites. */
final class BaseModel {

    private final Map<String, Block> modules;
    private final Map<String, BaseWeight> weights = new LinkedHashMap<>();
    private final Ties ties = new Ties();

    BaseModel(Block root) {
        modules = BlockTree.paths(root);
        Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        modules.forEach(
                (path, block) -> {
                    ties.add(path, block);
                    for (BaseWeight weight : weightsOf(path, block)) {
                        if (seen.add(weight.use())) {
                            weights.put(weight.site().path(), weight);
                            ties.add(weight);
                        }
                    }
                });
        weights.replaceAll((path, weight) -> weight.tiedTo(ties.of(weight)));
    }

    private static List<BaseWeight> weightsOf(String path, Block block) {
        List<BaseWeight> found = new ArrayList<>();
        if (block instanceof AdaptableLinear linear) {
            found.add(new BaseWeight(linear.site(path), linear.weight(), linear.use()));
        } else if (block instanceof AdaptableEmbedding embedding) {
            found.add(new BaseWeight(embedding.site(path), embedding.weight()));
        } else {
            for (Pair<String, Parameter> entry : block.getDirectParameters()) {
                Parameter parameter = entry.getValue();
                if (parameter.isInitialized()) {
                    Site site = site(path, block, entry.getKey(), parameter);
                    if (site != null) {
                        found.add(new BaseWeight(site, parameter));
                    }
                }
            }
        }
        return found;
    }

    private static @Nullable Site site(String path, Block block, String name, Parameter parameter) {
        Shape shape = parameter.getArray().getShape();
        if (block instanceof DescribedBlock described) {
            return described.site(path, name);
        }
        if (block instanceof Linear) {
            return name.equals("weight")
                    ? Site.linear(path, shape.get(0), shape.get(1), false)
                    : null;
        }
        if (block instanceof Convolution convolution) {
            Site.Kind kind = convolution.getGroups() == 1 ? Site.Kind.CONV : Site.Kind.GROUPED_CONV;
            return name.equals("weight") ? of(path, kind, shape, false) : null;
        }
        if (block instanceof Embedding || block instanceof IdEmbedding) {
            return of(path, Site.Kind.EMBEDDING, shape, true);
        }
        boolean weight =
                parameter.getType() == Parameter.Type.WEIGHT
                        || parameter.getType() == Parameter.Type.OTHER;
        if (weight && shape.dimension() == 2) {
            // PEFT names a module, whose weight it is; a recurrent layer has several
            boolean module = name.equals("weight") && !path.isEmpty();
            return of(module ? path : join(path, name), Site.Kind.MATRIX, shape, false);
        }
        return null;
    }

    private static Site of(String path, Site.Kind kind, Shape shape, boolean transposed) {
        return new Site(path, kind, shape, transposed, false, List.of());
    }

    static String join(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /** All modules by dotted path, parents first; the root's path is empty. */
    Map<String, Block> modules() {
        return Collections.unmodifiableMap(modules);
    }

    /** All sites' weights by the site's path, in model order. */
    Map<String, BaseWeight> weights() {
        return Collections.unmodifiableMap(weights);
    }

    /**
     * A parameter of a module, or the weight that the module is tied to.
     *
     * @param module the module's path
     * @param name torch's name of the parameter there
     * @param parameter the parameter
     * @param use what asks for it, see {@link BaseWeight}
     */
    record Named(String module, String name, Parameter parameter, Object use) {

        String path() {
            return join(module, name);
        }
    }

    /** All modules' own parameters, in model order; one that is shared comes with the first. */
    List<Named> parameters() {
        List<Named> parameters = new ArrayList<>();
        Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        modules.forEach(
                (path, block) -> {
                    if (block instanceof AdaptableLinear linear && linear.isTied()) {
                        parameters.add(new Named(path, "weight", linear.weight(), linear.use()));
                    }
                    for (Pair<String, Parameter> entry : block.getDirectParameters()) {
                        Parameter parameter = entry.getValue();
                        if (parameter.isInitialized() && seen.add(parameter)) {
                            String name = TorchNames.of(block, entry.getKey());
                            parameters.add(new Named(path, name, parameter, parameter));
                        }
                    }
                });
        return parameters;
    }

    /** Which modules share a weight, as they are now. */
    Ties ties() {
        return ties;
    }

    /**
     * The weights that a config adapts, in model order, without those of modules that it trains
     * whole. Where an adapter is to be kept tied, the owner of the weight stands for all.
     */
    List<BaseWeight> select(AdapterConfig config) {
        Set<String> paths = new HashSet<>(modules.keySet());
        List<String> candidates = new ArrayList<>(modules.keySet());
        for (String path : weights.keySet()) {
            if (paths.add(path)) {
                candidates.add(path); // a parameter of its own, as a recurrent layer's
            }
        }
        Set<String> heads = paths(site -> site.outputHead());
        Set<String> linears = paths(site -> site.kind() == Site.Kind.LINEAR);
        Set<String> others = new HashSet<>(weights.keySet());
        others.removeAll(linears);
        Set<String> chosen =
                new HashSet<>(config.targetModules().select(candidates, linears, others, heads));
        Predicate<String> whole = ModuleFilter.byName(config.trainedInFull().modulesToSave());
        chosen.removeIf(path -> ModuleFilter.above(path).stream().anyMatch(whole));
        if (chosen.isEmpty()) {
            throw new AdapterConfigException(
                    "target modules "
                            + config.targetModules()
                            + " lie in modules_to_save "
                            + config.trainedInFull().modulesToSave()
                            + ", which are trained whole; there is nothing left to adapt");
        }
        if (config.ensureWeightTying()) {
            for (BaseWeight weight : weights.values()) {
                if (weight.isTied() && chosen.remove(weight.site().path())) {
                    chosen.add(ties.ownerOf(weight.parameter()));
                }
            }
        }
        List<BaseWeight> selected = new ArrayList<>();
        for (BaseWeight weight : weights.values()) {
            if (chosen.contains(weight.site().path())) {
                requireCanBeKeptTied(weight, config);
                boolean turned = config.fanInFanOut() && weight.site().kind() == Site.Kind.MATRIX;
                selected.add(turned ? weight.storedInOut() : weight);
            }
        }
        config.validate(selected.stream().map(BaseWeight::site).toList());
        return selected;
    }

    /** Only blocks of this package ask the store for the other uses of their weights. */
    private void requireCanBeKeptTied(BaseWeight weight, AdapterConfig config) {
        String path = weight.site().path();
        if (config.ensureWeightTying()
                && !weight.site().tiedTo().isEmpty()
                && modules.get(path) instanceof DescribedBlock) {
            throw new AdapterConfigException(
                    "ensure_weight_tying: "
                            + path
                            + " cannot be kept tied to "
                            + String.join(", ", weight.site().tiedTo())
                            + " in a model of this kind; leave ensure_weight_tying off");
        }
    }

    /** Finds the bias of the module that a weight belongs to, if it has one. */
    Optional<BaseWeight> bias(BaseWeight weight) {
        String path = weight.site().path();
        Block module = modules.get(path);
        Parameter bias = module == null ? null : module.getDirectParameters().get("bias");
        if (bias == null || !bias.isInitialized()) {
            return Optional.empty();
        }
        Shape shape = bias.getArray().getShape();
        Site site = of(join(path, "bias"), Site.Kind.MATRIX, shape, false);
        return Optional.of(new BaseWeight(site, bias));
    }

    private Set<String> paths(Predicate<Site> which) {
        return weights.values().stream()
                .map(BaseWeight::site)
                .filter(which)
                .map(Site::path)
                .collect(Collectors.toSet());
    }
}
