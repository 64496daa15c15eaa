package io.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.TiedWeightException;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.Example;
import java.util.List;

/** Compares the logits of a model with its adapter beside the weights and in them. */
final class MergeCheck {

    /** The largest difference that rounding explains. */
    static final double TOLERANCE = 1e-4;

    private static final int ROWS = 4;

    private MergeCheck() {}

    /**
     * Merges, compares and unmerges.
     *
     * @param model the model
     * @param adapted its adapter, not merged
     * @param examples rows to compute logits of; the first few are used
     * @return the largest absolute difference of a logit
     */
    static double largestDifference(CausalLm model, AdaptedModel adapted, List<Example> examples) {
        double largest = 0;
        try (NDManager scope = model.manager().newSubManager()) {
            for (Example example : examples.subList(0, Math.min(ROWS, examples.size()))) {
                NDArray ids = scope.create(example.ids(), new Shape(1, example.length()));
                NDArray unmerged = model.logits(scope, ids, null);
                merge(model, adapted);
                NDArray merged = model.logits(scope, ids, null);
                adapted.unmerge();
                // NaN must not pass for a small number
                double difference = unmerged.sub(merged).abs().max().getFloat();
                largest = Double.isNaN(difference) ? difference : Math.max(largest, difference);
            }
        }
        return largest;
    }

    /** An adapter of the embeddings alone needs a head that does not share their matrix. */
    private static void merge(CausalLm model, AdaptedModel adapted) {
        try {
            adapted.merge();
        } catch (TiedWeightException e) {
            model.untieHead();
            adapted.merge();
        }
    }
}
