package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * {@code eval --reward}: how good a model's answers to held-out prompts are.
 *
 * @param answers the answers, those to one prompt side by side
 * @param totals the reward of each, all judges with their weights together
 * @param means the mean of each judge, without its weight
 */
record RewardEvaluation(List<Completion> answers, List<Double> totals, Map<String, Double> means) {

    static RewardEvaluation of(
            CompletionSampler sampler,
            List<Prompt> prompts,
            List<Reward> judges,
            int each,
            long seed) {
        List<Completion> answers =
                sampler.sample(prompts, each, seed, RewardEvaluation::requireNoInterrupt);
        double[] totals = new double[answers.size()];
        Map<String, Double> means = new LinkedHashMap<>();
        for (Reward judge : judges) {
            double[] rewards = judge.of(answers);
            means.put(judge.name(), Arrays.stream(rewards).average().orElseThrow());
            for (int i = 0; i < totals.length; i++) {
                totals[i] += judge.weight() * rewards[i];
            }
        }
        return new RewardEvaluation(answers, Arrays.stream(totals).boxed().toList(), means);
    }

    private static void requireNoInterrupt() {
        if (Thread.currentThread().isInterrupted()) {
            throw new UncheckedIOException(new InterruptedIOException("interrupted"));
        }
    }

    private double reward() {
        return totals.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }

    /** The mean number of tokens of an answer. */
    private double length() {
        return answers.stream().mapToInt(answer -> answer.ids().length).average().orElseThrow();
    }

    private long unfinished() {
        return answers.stream().filter(answer -> !answer.ended()).count();
    }

    JsonObject json(boolean perExample) {
        JsonObject json = new JsonObject();
        json.addProperty("reward", reward());
        JsonObject each = new JsonObject();
        means.forEach(each::addProperty);
        json.add("rewards", each);
        json.addProperty("answers", answers.size());
        json.addProperty("mean_length", length());
        json.addProperty("unfinished", unfinished());
        if (perExample) {
            JsonArray rows = new JsonArray();
            for (int i = 0; i < answers.size(); i++) {
                JsonObject row = new JsonObject();
                row.addProperty("prompt", answers.get(i).prompt().text());
                row.addProperty("completion", answers.get(i).text());
                row.addProperty("reward", totals.get(i));
                rows.add(row);
            }
            json.add("examples", rows);
        }
        return json;
    }

    String text(boolean perExample) {
        StringBuilder text = new StringBuilder();
        text.append(
                String.format(
                        Locale.ROOT,
                        "reward %.6f  answers %d  mean length %.1f  unfinished %d%n",
                        reward(),
                        answers.size(),
                        length(),
                        unfinished()));
        if (means.size() > 1) {
            means.forEach(
                    (name, mean) ->
                            text.append(String.format(Locale.ROOT, "%s %.6f%n", name, mean)));
        }
        if (perExample) {
            for (int i = 0; i < answers.size(); i++) {
                text.append(
                        String.format(
                                Locale.ROOT,
                                "%6d  reward %.6f  %s%n",
                                i + 1,
                                totals.get(i),
                                Json.line(new JsonPrimitive(answers.get(i).text()))));
            }
        }
        return text.toString();
    }
}
