package io.peft4j.models;

/**
 * Which linear layers have a bias.
 *
 * @param queryKeyValue whether the projections to queries, keys and values have one
 * @param attentionOutput whether the projection back from the heads has one
 * @param feedForward whether the feed-forward network's projections have one
 */
record Biases(boolean queryKeyValue, boolean attentionOutput, boolean feedForward) {

    static final Biases NONE = new Biases(false, false, false);
}
