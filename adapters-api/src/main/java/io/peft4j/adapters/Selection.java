package io.peft4j.adapters;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What a configuration selects in a model: the result of a dry run.
 *
 * @param targets the modules to adapt, in the model's order
 * @param excluded modules that exclude_modules or modules_to_save keep out, in the model's order
 * @param unmatched entries of the configuration that matched nothing, each with its key, such as
 *     {@code "target_modules: q_prj"}
 */
public record Selection(List<Target> targets, List<String> excluded, List<String> unmatched) {

    /**
     * Copies the lists.
     *
     * @param targets the modules to adapt
     * @param excluded the modules kept out
     * @param unmatched the entries that matched nothing
     */
    public Selection {
        targets = List.copyOf(targets);
        excluded = List.copyOf(excluded);
        unmatched = List.copyOf(unmatched);
    }

    /**
     * Returns the paths of the modules to adapt.
     *
     * @return paths in the model's order
     */
    public List<String> paths() {
        return targets.stream().map(Target::path).toList();
    }

    /**
     * One module to adapt.
     *
     * @param path its path
     * @param rank the rank that rank_pattern gives it; empty for the configuration's r
     * @param alpha the alpha that alpha_pattern gives it; empty for the configuration's lora_alpha
     */
    public record Target(String path, OptionalInt rank, OptionalDouble alpha) {}
}
