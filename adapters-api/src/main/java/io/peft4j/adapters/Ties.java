package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * Which modules of a model share an embedding's weight, knowing each other: an adapter can change
 * one of them, or all.
 *
 * <p>A DJL parameter that two plain blocks have in common is no tie. Both ask the store for the
 * same parameter, so that an adapter of it reaches both, and a merge is right for both.
 */
final class Ties {

    private final IdentityHashMap<Parameter, Set<String>> modules = new IdentityHashMap<>();
    private final IdentityHashMap<Object, String> paths = new IdentityHashMap<>();

    void add(String path, Block block) {
        if (block instanceof AdaptableEmbedding embedding) {
            paths.putIfAbsent(embedding.weight(), path);
            sharing(embedding.weight()).add(path);
            sharing(embedding.weight()).addAll(embedding.tiedTo());
        } else if (block instanceof AdaptableLinear linear && linear.isTied()) {
            paths.putIfAbsent(linear.use(), path);
            sharing(linear.weight()).add(path);
        }
    }

    /** What a site itself says of its ties, for {@link DescribedBlock}s. */
    void add(BaseWeight weight) {
        if (!weight.site().tiedTo().isEmpty() && !modules.containsKey(weight.parameter())) {
            paths.put(weight.parameter(), weight.site().path());
            sharing(weight.parameter()).add(weight.site().path());
            sharing(weight.parameter()).addAll(weight.site().tiedTo());
        }
    }

    private Set<String> sharing(Parameter parameter) {
        return modules.computeIfAbsent(parameter, p -> new LinkedHashSet<>());
    }

    /** The paths of the other modules that use a weight. */
    List<String> of(BaseWeight weight) {
        List<String> others = new ArrayList<>(modules.getOrDefault(weight.parameter(), Set.of()));
        others.remove(paths.get(weight.use()));
        return others;
    }

    /** The path of the embedding that a shared weight belongs to. */
    String ownerOf(Parameter parameter) {
        return Objects.requireNonNull(
                paths.get(parameter), "the embedding of a tied head is not in the model");
    }
}
