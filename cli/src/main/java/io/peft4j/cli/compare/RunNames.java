package io.peft4j.cli.compare;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Names the directories of runs: method and rank, then what is not the default, so that a run has
 * the same name in a larger grid. {@code lora-r8}, {@code lora-r8-lr0.001-s43}.
 *
 * @param learningRate the default
 * @param seed the default
 */
public record RunNames(double learningRate, long seed) {

    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.,-]{1,60}");

    /**
     * Names a run.
     *
     * @param run the run
     * @return a file name
     */
    public String of(RunSpec run) {
        Variant variant = run.variant();
        StringBuilder name = new StringBuilder(variant.method());
        variant.rank().ifPresent(rank -> name.append("-r").append(rank));
        if (variant.learningRate() != learningRate) {
            name.append("-lr").append(Variant.number(variant.learningRate()));
        }
        Optional<String> targets = variant.targets();
        targets.ifPresent(text -> name.append('-').append(fileName(text)));
        if (run.seed() != seed) {
            name.append("-s").append(run.seed());
        }
        return name.toString();
    }

    /** Targets may be a regular expression of any length: those get the digits of their hash. */
    private static String fileName(String targets) {
        return PLAIN.matcher(targets).matches()
                ? targets.replace(',', '+')
                : "targets" + Fingerprints.of(targets).substring(0, 12);
    }
}
