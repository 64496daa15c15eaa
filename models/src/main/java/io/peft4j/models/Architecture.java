package io.peft4j.models;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the decoder has to know to be built: sizes, constants and module names. A family reads it
 * from its {@code config.json}.
 *
 * @param vocabularySize the rows of the embedding matrix
 * @param hiddenSize the width of the residual stream
 * @param headDim the width of one attention head, even
 * @param contextLength the longest sequence
 * @param rotary the rotary positions
 * @param normEpsilon what is added to the mean square in a norm
 * @param queryKeyNorm whether queries and keys are normed before they are rotated
 * @param biases which linear layers have a bias; the head has none
 * @param tiedHead whether the output embedding is the token embeddings' matrix
 * @param layers the sizes of each layer
 * @param experts the experts of every layer's feed-forward network; null if it is one network
 * @param names what the modules are called
 */
record Architecture(
        int vocabularySize,
        int hiddenSize,
        int headDim,
        int contextLength,
        RotaryEmbedding rotary,
        double normEpsilon,
        boolean queryKeyNorm,
        Biases biases,
        boolean tiedHead,
        List<LayerShape> layers,
        @Nullable Experts experts,
        ModuleNames names) {

    Architecture {
        layers = List.copyOf(layers);
    }
}
