package io.peft4j.models;

import java.util.OptionalDouble;

/**
 * What a mixture of experts has beside the shape of each expert.
 *
 * @param count the experts of a layer
 * @param perToken how many of them a token is sent to
 * @param router what the projection to one score per expert is called
 * @param list what the block is called that holds the experts, whose names are their numbers
 * @param auxiliaryWeight what the load-balancing loss is multiplied by in training; empty if it is
 *     not part of the loss
 */
record Experts(
        int count, int perToken, String router, String list, OptionalDouble auxiliaryWeight) {}
