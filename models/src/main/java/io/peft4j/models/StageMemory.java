package io.peft4j.models;

/**
 * The bytes that a {@link Stage} takes in training, its input not counted.
 *
 * @param kept what it keeps for backward, its result among it
 * @param backward what its backward makes on the way
 */
record StageMemory(long kept, long backward) {}
