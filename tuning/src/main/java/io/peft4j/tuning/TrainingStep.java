package io.peft4j.tuning;

/**
 * What one optimizer step did.
 *
 * @param step its number, counted from 1
 * @param totalSteps how many there will be
 * @param loss the mean over the labelled next tokens of all its rows
 * @param learningRate the rate it used
 * @param gradientNorm the global norm before clipping
 * @param tokens the tokens that went through the model, without padding
 * @param labelled the labelled next tokens among them
 * @param tokensPerSecond the speed of this step
 */
public record TrainingStep(
        int step,
        int totalSteps,
        double loss,
        double learningRate,
        double gradientNorm,
        long tokens,
        long labelled,
        double tokensPerSecond) {}
