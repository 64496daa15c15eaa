package io.peft4j.tuning;

import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * How a training ended.
 *
 * @param steps the optimizer steps done, those before a resume included
 * @param totalSteps the steps that were asked for
 * @param loss the training loss of the last step; empty if there was none left to do
 * @param heldOutLoss the loss of the last evaluation; empty without held-out examples
 * @param heldOutReward the mean reward of the last evaluation, where its loss is that with the sign
 *     turned; else empty
 * @param bestStep the step of the smallest held-out loss
 * @param bestLoss that loss
 * @param stoppedEarly whether the held-out loss did not improve for as long as the patience allowed
 * @param tokens the tokens trained on by this process, without padding
 * @param tokensPerSecond the mean speed of this process's steps
 */
public record TrainingResult(
        int steps,
        int totalSteps,
        OptionalDouble loss,
        OptionalDouble heldOutLoss,
        OptionalDouble heldOutReward,
        OptionalInt bestStep,
        OptionalDouble bestLoss,
        boolean stoppedEarly,
        long tokens,
        double tokensPerSecond) {}
