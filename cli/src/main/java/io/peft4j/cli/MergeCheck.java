package io.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TiedWeightException;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.Dtype;
import io.peft4j.tuning.Example;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Compares the logits of a model with its adapter beside the weights and in them. */
final class MergeCheck {

    /** The largest difference that rounding explains, of logits up to some tens. */
    static double tolerance(Dtype computed) {
        return switch (computed) {
            case BF16 -> 1;
            case F16 -> 0.1;
            default -> 1e-4;
        };
    }

    private static final int ROWS = 4;

    private MergeCheck() {}

    /**
     * Merges, compares and unmerges. An adapter of the embeddings alone is merged into a second
     * copy of the model, whose head is untied for it.
     *
     * @param loaded the model
     * @param adapted its adapter, not merged
     * @param saved where the adapter is saved
     * @param examples rows to compute logits of; the first few are used
     * @return the largest absolute difference of a logit
     * @throws IOException if a copy cannot be read
     */
    static double largestDifference(
            LoadedModel loaded, AdaptedModel adapted, Path saved, List<Example> examples)
            throws IOException {
        CausalLm model = loaded.model();
        List<Example> some = examples.subList(0, Math.min(ROWS, examples.size()));
        List<float[]> unmerged = logits(model, some);
        try {
            adapted.merge();
        } catch (TiedWeightException e) {
            try (CausalLm copy =
                            CausalLm.load(
                                    loaded.directory(), model.device(), model.computeDtype());
                    AdaptedModel there = Adapters.load(copy.block(), saved)) {
                copy.untieHead();
                there.merge();
                return largest(unmerged, logits(copy, some));
            }
        }
        List<float[]> merged = logits(model, some);
        adapted.unmerge();
        return largest(unmerged, merged);
    }

    private static List<float[]> logits(CausalLm model, List<Example> examples) {
        List<float[]> rows = new ArrayList<>();
        for (Example example : examples) {
            try (NDManager scope = model.manager().newSubManager()) {
                NDArray ids = scope.create(example.ids(), new Shape(1, example.length()));
                rows.add(model.logits(scope, ids, null).toFloatArray());
            }
        }
        return rows;
    }

    private static double largest(List<float[]> expected, List<float[]> actual) {
        double largest = 0;
        for (int row = 0; row < expected.size(); row++) {
            for (int i = 0; i < expected.get(row).length; i++) {
                double difference = Math.abs(expected.get(row)[i] - actual.get(row)[i]);
                if (Double.isNaN(difference)) {
                    return difference; // it must not pass for a small number
                }
                largest = Math.max(largest, difference);
            }
        }
        return largest;
    }
}
