package io.peft4j.models;

/**
 * What a LoRA or DoRA adapter adds to a linear layer, as far as memory depends on it.
 *
 * @param rank the rows of A and the columns of B
 * @param magnitude whether outputs are multiplied by a trained magnitude, as DoRA's are
 * @param dropout whether inputs are dropped in training
 */
public record LowRankShape(int rank, boolean magnitude, boolean dropout) {}
