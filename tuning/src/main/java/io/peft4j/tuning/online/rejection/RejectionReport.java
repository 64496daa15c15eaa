package io.peft4j.tuning.online.rejection;

import com.google.gson.JsonObject;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What came of rejection sampling. A mean over nothing is 0.
 *
 * @param prompts the prompts asked
 * @param answeredPrompts those of which an answer was kept
 * @param samples the answers sampled
 * @param accepted those that were kept
 * @param duplicates those whose text the same prompt had got before, in the same row or another
 * @param unfinished those that were cut at their greatest length
 * @param meanReward the mean over all answers
 * @param bestReward the mean over prompts of their best answer's
 * @param acceptedReward the mean over what was kept
 * @param rewards what each judge gave, by its name
 */
public record RejectionReport(
        int prompts,
        int answeredPrompts,
        int samples,
        int accepted,
        int duplicates,
        int unfinished,
        double meanReward,
        double bestReward,
        double acceptedReward,
        Map<String, JudgeFigures> rewards) {

    /** Copies the map. */
    public RejectionReport {
        rewards = Collections.unmodifiableMap(new LinkedHashMap<>(rewards));
    }

    /**
     * What one judge gave, without its weight.
     *
     * @param weight its weight
     * @param mean the mean over all answers
     * @param best the mean over prompts of the best that it gave
     */
    public record JudgeFigures(double weight, double mean, double best) {}

    /**
     * Returns how much of what was sampled was kept.
     *
     * @return accepted by samples
     */
    public double acceptedShare() {
        return samples == 0 ? 0 : (double) accepted / samples;
    }

    /**
     * Returns the report as JSON.
     *
     * @return the figures under their names, with underscores
     */
    public JsonObject json() {
        JsonObject json = new JsonObject();
        json.addProperty("prompts", prompts);
        json.addProperty("answered_prompts", answeredPrompts);
        json.addProperty("samples", samples);
        json.addProperty("accepted", accepted);
        json.addProperty("accepted_share", acceptedShare());
        json.addProperty("duplicates", duplicates);
        json.addProperty("unfinished", unfinished);
        json.addProperty("mean_reward", meanReward);
        json.addProperty("best_reward", bestReward);
        json.addProperty("accepted_reward", acceptedReward);
        JsonObject judges = new JsonObject();
        rewards.forEach(
                (name, figures) -> {
                    JsonObject judge = new JsonObject();
                    judge.addProperty("weight", figures.weight());
                    judge.addProperty("mean", figures.mean());
                    judge.addProperty("best", figures.best());
                    judges.add(name, judge);
                });
        json.add("rewards", judges);
        return json;
    }

    /** Reads what {@link #json} wrote. */
    static RejectionReport of(JsonObject json) {
        Map<String, JudgeFigures> judges = new LinkedHashMap<>();
        json.getAsJsonObject("rewards")
                .asMap()
                .forEach(
                        (name, value) -> {
                            JsonObject judge = value.getAsJsonObject();
                            judges.put(
                                    name,
                                    new JudgeFigures(
                                            judge.get("weight").getAsDouble(),
                                            judge.get("mean").getAsDouble(),
                                            judge.get("best").getAsDouble()));
                        });
        return new RejectionReport(
                json.get("prompts").getAsInt(),
                json.get("answered_prompts").getAsInt(),
                json.get("samples").getAsInt(),
                json.get("accepted").getAsInt(),
                json.get("duplicates").getAsInt(),
                json.get("unfinished").getAsInt(),
                json.get("mean_reward").getAsDouble(),
                json.get("best_reward").getAsDouble(),
                json.get("accepted_reward").getAsDouble(),
                judges);
    }
}
