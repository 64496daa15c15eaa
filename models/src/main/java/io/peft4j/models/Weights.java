package io.peft4j.models;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptableEmbedding;

/**
 * How a forward pass reads parameters.
 *
 * @param store where parameters are read from
 * @param device where the pass runs
 * @param training whether dropout is on and gradients will be asked for
 */
record Weights(ParameterStore store, Device device, boolean training) {

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
