package io.peft4j.adapters;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a block tree consists of, as adapters see it: its modules, their parameters, its sites. */
final class BaseModel {

    private final Map<String, Block> modules;
    private final Map<String, BaseWeight> weights = new LinkedHashMap<>();

    BaseModel(Block root) {
        modules = BlockTree.paths(root);
        Set<Parameter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        modules.forEach(
                (path, block) -> {
                    for (BaseWeight weight : weightsOf(path, block)) {
                        if (seen.add(weight.parameter())) {
                            weights.put(weight.site().path(), weight);
                        }
                    }
                });
    }

    private static List<BaseWeight> weightsOf(String path, Block block) {
        List<BaseWeight> found = new ArrayList<>();
        if (block instanceof AdaptableLinear linear) {
            found.add(new BaseWeight(linear.site(path), linear.weight()));
        } else if (block instanceof AdaptableEmbedding embedding) {
            found.add(new BaseWeight(embedding.site(path), embedding.weight()));
        } else {
            for (Pair<String, Parameter> entry : block.getDirectParameters()) {
                Parameter parameter = entry.getValue();
                if (parameter.isInitialized()) {
                    Site site = site(path, block, entry.getKey(), parameter.getArray().getShape());
                    if (site != null) {
                        found.add(new BaseWeight(site, parameter));
                    }
                }
            }
        }
        return found;
    }

    private static @Nullable Site site(String path, Block block, String parameter, Shape shape) {
        if (block instanceof Linear) {
            return parameter.equals("weight")
                    ? Site.linear(path, shape.get(0), shape.get(1), false)
                    : null;
        }
        if (block instanceof Convolution convolution) {
            Site.Kind kind = convolution.getGroups() == 1 ? Site.Kind.CONV : Site.Kind.GROUPED_CONV;
            return parameter.equals("weight") ? of(path, kind, shape, false) : null;
        }
        if (block instanceof Embedding) {
            return of(path, Site.Kind.EMBEDDING, shape, true);
        }
        if (shape.dimension() == 2) {
            // PEFT names a module, whose weight it is; a recurrent layer has several
            boolean module = parameter.equals("weight") && !path.isEmpty();
            String name = module ? path : join(path, parameter);
            return of(name, Site.Kind.MATRIX, shape, false);
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

    /** The weights that a config adapts, in model order. */
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
                Set.copyOf(config.targetModules().select(candidates, linears, others, heads));
        List<BaseWeight> selected = new ArrayList<>();
        for (BaseWeight weight : weights.values()) {
            if (chosen.contains(weight.site().path())) {
                boolean turned = config.fanInFanOut() && weight.site().kind() == Site.Kind.MATRIX;
                selected.add(
                        turned
                                ? new BaseWeight(weight.site().storedInOut(), weight.parameter())
                                : weight);
            }
        }
        config.validate(selected.stream().map(BaseWeight::site).toList());
        return selected;
    }

    private Set<String> paths(Predicate<Site> which) {
        return weights.values().stream()
                .map(BaseWeight::site)
                .filter(which)
                .map(Site::path)
                .collect(Collectors.toSet());
    }
}
