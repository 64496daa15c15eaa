package io.peft4j.models;

import ai.djl.ndarray.types.Shape;
import io.peft4j.safetensors.TensorReader;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How a checkpoint keeps a model's parameters: each in a tensor of its own name, but for those that
 * are named otherwise or share a tensor.
 *
 * @param others the tensors of other names, by name
 */
record CheckpointLayout(Map<String, StoredTensor> others) {

    /** Every parameter has a tensor of its own name. */
    static final CheckpointLayout PLAIN = new CheckpointLayout(Map.of());

    CheckpointLayout {
        others = Collections.unmodifiableMap(new LinkedHashMap<>(others));
    }

    /**
     * Returns all tensors.
     *
     * @param parameters the shapes of the model's parameters by name
     */
    Map<String, StoredTensor> tensors(Map<String, Shape> parameters) {
        Set<String> elsewhere = new LinkedHashSet<>();
        others.values().forEach(tensor -> elsewhere.addAll(tensor.parameters()));
        Map<String, StoredTensor> tensors = new LinkedHashMap<>();
        parameters.forEach(
                (name, shape) -> {
                    if (!elsewhere.contains(name)) {
                        tensors.put(name, new StoredTensor(shape, List.of(name)));
                    }
                });
        tensors.putAll(others);
        return tensors;
    }

    /** Counts the tensors that a checkpoint lacks. */
    long missingIn(TensorReader checkpoint, Map<String, Shape> parameters) {
        return tensors(parameters).keySet().stream()
                .filter(name -> !checkpoint.contains(name))
                .count();
    }
}
