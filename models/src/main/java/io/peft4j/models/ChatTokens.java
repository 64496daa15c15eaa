package io.peft4j.models;

/**
 * A conversation as a model reads it.
 *
 * @param ids the tokens
 * @param assistant for each token whether the assistant said it, its end of turn included
 */
public record ChatTokens(long[] ids, boolean[] assistant) {}
