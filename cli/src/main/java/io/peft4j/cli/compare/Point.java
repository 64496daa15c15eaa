package io.peft4j.cli.compare;

/**
 * A loss at a step.
 *
 * @param step how many optimizer steps were done
 * @param loss the mean loss of a labelled token
 */
public record Point(int step, double loss) {}
