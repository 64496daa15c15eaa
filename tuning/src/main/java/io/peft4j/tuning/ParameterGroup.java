package io.peft4j.tuning;

import ai.djl.util.Preconditions;

/**
 * What an optimizer does otherwise for some of its parameters.
 *
 * @param name what the group is called
 * @param rateFactor what the learning rate of a step is multiplied with
 * @param decays whether the optimizer's weight decay holds; else there is none
 */
public record ParameterGroup(String name, double rateFactor, boolean decays) {

    /** The optimizer's settings as they are. */
    public static final ParameterGroup DEFAULT = new ParameterGroup("default", 1, true);

    /**
     * Makes a group.
     *
     * @throws IllegalArgumentException if the factor is negative or not finite
     */
    public ParameterGroup {
        Preconditions.checkArgument(
                rateFactor >= 0 && Double.isFinite(rateFactor),
                "expected a factor of 0 or more for " + name + ", found " + rateFactor);
    }
}
