package io.peft4j.tuning.preference;

import com.google.gson.JsonObject;

/**
 * What an iteration of {@link IterativeDpo} has shown. Rewards are those of the policy before it
 * was trained in the iteration. A mean over nothing is 0.
 *
 * @param iteration from 1
 * @param prompts the prompts asked
 * @param samples the answers sampled
 * @param pairs the prompts whose answers were not all worth the same
 * @param meanReward the mean over all answers
 * @param bestReward the mean over prompts of their best answer's
 * @param margin the mean over pairs of the better answer's reward less the worse one's
 * @param steps the optimizer steps of the iteration
 */
public record IterationFigures(
        int iteration,
        int prompts,
        int samples,
        int pairs,
        double meanReward,
        double bestReward,
        double margin,
        int steps) {

    /**
     * Returns the figures as JSON.
     *
     * @return the figures under their names, with underscores
     */
    public JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("iteration", iteration);
        json.addProperty("prompts", prompts);
        json.addProperty("samples", samples);
        json.addProperty("pairs", pairs);
        json.addProperty("mean_reward", meanReward);
        json.addProperty("best_reward", bestReward);
        json.addProperty("margin", margin);
        json.addProperty("steps", steps);
        return json;
    }

    static IterationFigures of(JsonObject json) {
        return new IterationFigures(
                json.get("iteration").getAsInt(),
                json.get("prompts").getAsInt(),
                json.get("samples").getAsInt(),
                json.get("pairs").getAsInt(),
                json.get("mean_reward").getAsDouble(),
                json.get("best_reward").getAsDouble(),
                json.get("margin").getAsDouble(),
                json.get("steps").getAsInt());
    }
}
