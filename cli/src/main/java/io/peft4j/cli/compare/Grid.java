package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * All combinations of a few values. Full fine-tuning has neither rank nor targets: it is one
 * combination per learning rate and seed.
 *
 * @param methods such as {@code lora}, {@code dora} and {@code full}
 * @param ranks the ranks of adapters
 * @param learningRates the schedules' highest learning rates
 * @param targets the sets of modules to adapt; an empty one is the family's own
 * @param seeds what random numbers come from
 */
public record Grid(
        List<String> methods,
        List<Integer> ranks,
        List<Double> learningRates,
        List<Optional<String>> targets,
        List<Long> seeds) {

    static final String FULL = "full";

    /** Copies the values. */
    public Grid {
        methods = List.copyOf(methods);
        ranks = List.copyOf(ranks);
        learningRates = List.copyOf(learningRates);
        targets = List.copyOf(targets);
        seeds = List.copyOf(seeds);
    }

    /**
     * Returns the combinations without seeds, in the order of the flags.
     *
     * @return the variants
     */
    public List<Variant> variants() {
        List<Variant> variants = new ArrayList<>();
        for (String method : methods) {
            List<OptionalInt> sizes =
                    method.equals(FULL)
                            ? List.of(OptionalInt.empty())
                            : ranks.stream().map(OptionalInt::of).toList();
            List<Optional<String>> places =
                    method.equals(FULL) ? List.of(Optional.empty()) : targets;
            for (OptionalInt rank : sizes) {
                for (double learningRate : learningRates) {
                    for (Optional<String> target : places) {
                        variants.add(new Variant(method, rank, learningRate, target));
                    }
                }
            }
        }
        return variants;
    }

    /**
     * Returns the runs, seed by seed: whoever stops early has whole tables of the first seeds.
     *
     * @return every variant with every seed
     */
    public List<RunSpec> runs() {
        List<RunSpec> runs = new ArrayList<>();
        for (long seed : seeds) {
            variants().forEach(variant -> runs.add(new RunSpec(variant, seed)));
        }
        return runs;
    }

    /**
     * Tells whether base weights are trained themselves.
     *
     * @return whether full fine-tuning is among the methods
     */
    public boolean trainsInFull() {
        return Set.copyOf(methods).contains(FULL);
    }
}
