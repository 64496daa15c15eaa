package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What an experiment has found.
 *
 * @param model the base model, as a later command may name it
 * @param data the training data
 * @param evalData the held-out data
 * @param facts settings and provenance for readers, text by name
 * @param runs the runs, in the grid's order
 */
public record Comparison(
        String model,
        String data,
        String evalData,
        Map<String, String> facts,
        List<ComparedRun> runs) {

    /** Copies the facts and the runs. */
    public Comparison {
        facts = new LinkedHashMap<>(facts);
        runs = List.copyOf(runs);
    }

    /**
     * Tells what varies in the grid.
     *
     * @return the axes
     */
    public Axes axes() {
        return Axes.of(runs.stream().map(ComparedRun::spec).toList());
    }

    /**
     * Returns the variants that have a finished run.
     *
     * @return one row per variant, in the grid's order
     */
    public List<VariantResult> variants() {
        Axes axes = axes();
        Set<Variant> variants = new LinkedHashSet<>();
        runs.forEach(run -> variants.add(run.spec().variant()));
        List<VariantResult> rows = new ArrayList<>();
        for (Variant variant : variants) {
            List<ComparedRun> all =
                    runs.stream().filter(run -> run.spec().variant().equals(variant)).toList();
            List<ComparedRun> done = all.stream().filter(run -> run.result().isPresent()).toList();
            if (!done.isEmpty()) {
                rows.add(
                        new VariantResult(
                                variant, variant.label(axes), done, all.size() - done.size()));
            }
        }
        return rows;
    }

    /**
     * Returns the runs without a result.
     *
     * @return the failed runs
     */
    public List<ComparedRun> failed() {
        return runs.stream().filter(run -> run.result().isEmpty()).toList();
    }

    /**
     * Names a run in a few words.
     *
     * @param run one of the runs
     * @return such as {@code lora r8 seed 1}
     */
    public String label(ComparedRun run) {
        return axes().label(run.spec());
    }
}
