package io.peft4j.cli.compare;

/**
 * One run of a grid.
 *
 * @param variant what is trained
 * @param seed what its random numbers come from
 */
public record RunSpec(Variant variant, long seed) {}
