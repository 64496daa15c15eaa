package io.peft4j.tuning;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one optimizer step did.
 *
 * @param step its number, counted from 1
 * @param totalSteps how many there will be
 * @param loss the task's, such as the mean over the labelled next tokens of all its rows
 * @param learningRate the rate it used
 * @param gradientNorm the global norm before clipping
 * @param tokens the tokens that went through the model, without padding
 * @param labelled the labelled next tokens among them
 * @param tokensPerSecond the speed of this step
 * @param metrics what else the task tells of it, by name, such as {@code rewards/margins}
 */
public record TrainingStep(
        int step,
        int totalSteps,
        double loss,
        double learningRate,
        double gradientNorm,
        long tokens,
        long labelled,
        double tokensPerSecond,
        Map<String, Double> metrics) {

    /** Copies the metrics, in their order. */
    public TrainingStep {
        metrics = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    }

    /**
     * A step of a task that tells nothing else.
     *
     * @param step its number, counted from 1
     * @param totalSteps how many there will be
     * @param loss the loss
     * @param learningRate the rate it used
     * @param gradientNorm the global norm before clipping
     * @param tokens the tokens that went through the model, without padding
     * @param labelled the labelled next tokens among them
     * @param tokensPerSecond the speed of this step
     */
    public TrainingStep(
            int step,
            int totalSteps,
            double loss,
            double learningRate,
            double gradientNorm,
            long tokens,
            long labelled,
            double tokensPerSecond) {
        this(
                step,
                totalSteps,
                loss,
                learningRate,
                gradientNorm,
                tokens,
                labelled,
                tokensPerSecond,
                Map.of());
    }
}
