package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptableEmbedding;
import java.util.List;

/**
 * How a forward pass reads parameters.
 *
 * @param store where parameters are read from
 * @param device where the pass runs
 * @param training whether dropout is on and gradients will be asked for
 * @param parts the rows of the batch by their adapters, if rows have adapters of their own; none if
 *     the store answers for all rows
 */
record Weights(ParameterStore store, Device device, boolean training, List<Part> parts) {

    /**
     * Rows that stand together and are computed alike.
     *
     * @param weights how their parameters are read
     * @param start the first row
     * @param count how many there are
     */
    record Part(Weights weights, int start, int count) {}

    Weights(ParameterStore store, Device device, boolean training) {
        this(store, device, training, List.of());
    }

    /** Tells whether rows of the batch have adapters of their own. */
    boolean hasParts() {
        return !parts.isEmpty();
    }

    /** Returns the parts of the batch; the whole as one row where there are none. */
    List<Part> partsOrWhole() {
        return parts.isEmpty() ? List.of(new Part(this, 0, 1)) : parts;
    }

    NDArray value(Parameter parameter) {
        return store.getValue(parameter, device, training);
    }

    /** Runs a linear layer, adapted or not; the result belongs to x's manager. */
    NDArray linear(Block layer, NDArray x) {
        return layer.forward(store, new NDList(x), training).singletonOrThrow();
    }

    /** Runs the output head that is tied to an embedding; the result belongs to x's manager. */
    NDArray project(AdaptableEmbedding embedding, NDArray x) {
        return embedding.project(x, store, training);
    }

    NDArray rows(NDManager owner, AdaptableEmbedding embedding, NDArray ids) {
        return embedding.rows(owner, ids, store, training);
    }
}
