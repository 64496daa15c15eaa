package io.peft4j.cli;

import io.peft4j.cli.compare.Grid;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Flags that span compare's grid, beside {@code --target-modules}. */
final class GridOptions {

    @Option(
            names = "--methods",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "lora,dora",
            description =
                    "The methods, with commas: lora, dora, and full, which trains all weights and"
                            + " has neither rank nor targets (default: ${DEFAULT-VALUE}).")
    private List<String> methods;

    @Option(
            names = "--ranks",
            paramLabel = "R",
            split = ",",
            defaultValue = "8,16",
            description = "The ranks, with commas (default: ${DEFAULT-VALUE}).")
    private List<Integer> ranks;

    @Option(
            names = "--learning-rates",
            paramLabel = "LR",
            split = ",",
            description = "The learning rates, with commas (default: --learning-rate's).")
    private @Nullable List<Double> learningRates;

    @Option(
            names = "--seeds",
            paramLabel = "N",
            split = ",",
            description =
                    "The seeds, with commas; three tell how far chance goes (default: --seed's).")
    private @Nullable List<Long> seeds;

    /**
     * Checks the values.
     *
     * @param spec the command, which knows what was given
     */
    void check(CommandSpec spec) {
        methods.forEach(method -> Methods.check("--methods", method, Methods.COMPARED));
        ranks.forEach(rank -> Checks.between("--ranks", rank, 1, 4096));
        Checks.distinct("--methods", methods);
        Checks.distinct("--ranks", ranks);
        if (learningRates != null) {
            requireOne(spec, "--learning-rate", "--learning-rates");
            learningRates.forEach(rate -> Checks.notNegative("--learning-rates", rate));
            Checks.distinct("--learning-rates", learningRates);
        }
        if (seeds != null) {
            requireOne(spec, "--seed", "--seeds");
            Checks.distinct("--seeds", seeds);
        }
    }

    private static void requireOne(CommandSpec spec, String one, String several) {
        if (spec.commandLine().getParseResult().hasMatchedOption(one)) {
            throw new UsageException(several + " cannot be given with " + one);
        }
    }

    boolean fullOnly() {
        return methods.equals(List.of(Methods.FULL));
    }

    /** Spans the grid; the other groups have been checked. */
    Grid grid(AdapterOptions adapter, HyperParameters training) {
        List<Optional<String>> targets = adapter.targetSets();
        Checks.distinct("--target-modules", targets);
        return new Grid(
                methods,
                ranks,
                learningRates == null ? List.of(training.learningRate()) : learningRates,
                targets,
                seeds == null ? List.of(training.seed()) : seeds);
    }
}
