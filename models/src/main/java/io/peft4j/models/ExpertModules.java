package io.peft4j.models;

import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a mixture's modules are called: by their paths as in the published files, where each expert
 * has its own, and by those of transformers 5, where the experts of a layer are two parameters.
 *
 * @param layers how many layers there are, each with experts
 * @param count the experts of a layer
 * @param hidden the size of a hidden state
 * @param width the size between an expert's projections
 * @param others the paths of all modules with a weight but experts and routers
 */
record ExpertModules(int layers, int count, int hidden, int width, List<String> others) {

    static final String GATE_UP = "gate_up_proj";
    static final String DOWN = "down_proj";
    static final String ROUTER = "gate";
    static final String ROUTER_WEIGHT = "gate.weight";

    private static final String SINGLE = "block_sparse_moe";
    private static final String FUSED = "mlp";
    private static final String WEIGHT = ".weight";
    private static final Pattern LAYER = Pattern.compile("\\.layers\\.([0-9]{1,9})\\.");

    /**
     * Describes a model.
     *
     * @param experts what its config says of the experts
     * @param tensors the names of its tensors
     */
    static ExpertModules of(Architecture model, Experts experts, Collection<String> tensors) {
        return new ExpertModules(
                model.layers().size(),
                experts.count(),
                model.hiddenSize(),
                model.layers().get(0).ffnWidth(),
                tensors.stream()
                        .filter(name -> name.endsWith(WEIGHT) && !name.contains(SINGLE))
                        .map(name -> name.substring(0, name.length() - WEIGHT.length()))
                        .toList());
    }

    private static String layer(int layer, String block) {
        return "model.layers." + layer + "." + block + ".";
    }

    /** Returns the path of one projection of one expert. */
    static String single(int layer, int expert, String projection) {
        return layer(layer, SINGLE) + "experts." + expert + "." + projection;
    }

    static String router(int layer) {
        return layer(layer, SINGLE) + ROUTER;
    }

    /** Returns the path of the module that holds a layer's experts on transformers 5. */
    static String fused(int layer) {
        return layer(layer, FUSED) + "experts";
    }

    /** Returns the path of the module that is the router on transformers 5. */
    static String fusedRouter(int layer) {
        return layer(layer, FUSED) + ROUTER;
    }

    /** Returns the path of a parameter on transformers 5, by the end that names it everywhere. */
    static String parameter(int layer, String end) {
        return end.equals(ROUTER_WEIGHT) ? layer(layer, FUSED) + end : fused(layer) + "." + end;
    }

    /** What PEFT's names of a module's tensors begin with. */
    static String key(String path) {
        return "base_model.model." + path + ".";
    }

    /** Returns the number of the layer that a tensor belongs to; -1 if it belongs to none. */
    static int layerOf(String key) {
        Matcher number = LAYER.matcher(key);
        return number.find() ? Integer.parseInt(number.group(1)) : -1;
    }

    /** Tells whether a tensor is of an expert, or of those of a layer. */
    static boolean isOfExperts(String key) {
        return key.contains("." + SINGLE + ".experts.") || key.contains("." + FUSED + ".experts.");
    }

    /** Tells whether a name is a path or a dotted end of it. */
    static boolean matches(String path, String name) {
        return path.equals(name) || path.endsWith("." + name);
    }
}
