package io.peft4j.adapters;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Base parameters that an adapter trains itself, beside its sites. Each adapter has its own copy,
 * so that the base stays as it is and a disabled adapter is the base model.
 *
 * @param bias which biases are trained
 * @param modulesToSave modules whose parameters are all trained: paths or dotted ends of paths,
 *     PEFT's {@code modules_to_save}
 * @param tokens the rows of embeddings that are trained, by the module's path or a dotted end of
 *     it, PEFT's {@code trainable_token_indices}; the empty name is the model's input embedding
 */
public record TrainedInFull(
        Bias bias, List<String> modulesToSave, Map<String, List<Integer>> tokens) {

    /** Nothing is trained beside the sites. */
    public static final TrainedInFull NOTHING = new TrainedInFull(Bias.NONE, List.of(), Map.of());

    /** Which biases are trained. */
    public enum Bias {
        /** None. */
        NONE,
        /** All biases of the model. */
        ALL,
        /** Those of the adapted modules: PEFT's {@code lora_only}. */
        ADAPTED
    }

    /** Copies the collections. */
    public TrainedInFull {
        modulesToSave = List.copyOf(modulesToSave);
        Map<String, List<Integer>> copy = new LinkedHashMap<>();
        tokens.forEach((module, rows) -> copy.put(module, List.copyOf(rows)));
        tokens = Collections.unmodifiableMap(copy);
    }
}
