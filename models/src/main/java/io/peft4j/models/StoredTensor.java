package io.peft4j.models;

import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * One tensor of a checkpoint.
 *
 * @param shape its shape
 * @param parameters the parameters it holds, one behind the other; all have rows of its last
 *     dimension's size
 */
record StoredTensor(Shape shape, List<String> parameters) {

    StoredTensor {
        parameters = List.copyOf(parameters);
    }

    static StoredTensor of(List<String> parameters, long... shape) {
        return new StoredTensor(new Shape(shape), parameters);
    }
}
