package io.peft4j.models;

import java.util.List;

/**
 * What a family calls the decoder's modules; a module's dotted path is its name in the checkpoint.
 *
 * @param body holds embeddings, layers and the last norm
 * @param embeddings the token embeddings
 * @param layers holds the layers, whose names are their numbers
 * @param norm the norm after the last layer
 * @param head the output embedding, if it is not the token embeddings' matrix
 * @param attentionNorm the norm before the attention
 * @param attention holds the attention's projections
 * @param queryKeyValue one fused projection to all queries, then all keys, then all values, or
 *     three projections
 * @param queryNorm the norm of each query, if there is one
 * @param keyNorm the norm of each key, if there is one
 * @param attentionOutput projects the heads back
 * @param feedForwardNorm the norm before the feed-forward network
 * @param feedForward holds the feed-forward network's projections
 * @param gateUp one fused projection to the gate, then to what it gates, or two projections
 * @param down projects back
 */
record ModuleNames(
        String body,
        String embeddings,
        String layers,
        String norm,
        String head,
        String attentionNorm,
        String attention,
        List<String> queryKeyValue,
        String queryNorm,
        String keyNorm,
        String attentionOutput,
        String feedForwardNorm,
        String feedForward,
        List<String> gateUp,
        String down) {

    ModuleNames {
        queryKeyValue = List.copyOf(queryKeyValue);
        gateUp = List.copyOf(gateUp);
    }
}
