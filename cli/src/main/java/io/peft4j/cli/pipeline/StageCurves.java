package io.peft4j.cli.pipeline;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.peft4j.cli.compare.Point;
import io.peft4j.cli.compare.Smoothing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * What a stage's {@code metrics.jsonl} tells by step.
 *
 * @param byName the points of each figure that is shown and was logged, in the order of their
 *     titles
 */
record StageCurves(Map<String, List<Point>> byName) {

    /** What is shown of all that is logged, with its title. */
    private static final Map<String, String> TITLES = titles();

    StageCurves {
        byName = Collections.unmodifiableMap(new LinkedHashMap<>(byName));
    }

    private static Map<String, String> titles() {
        Map<String, String> titles = new LinkedHashMap<>();
        titles.put("loss", "Training loss, smoothed");
        titles.put("eval_loss", "Held-out loss");
        titles.put("reward", "Mean reward of the sampled answers, smoothed");
        titles.put("objective/scores", "Mean reward of the sampled answers, smoothed");
        titles.put("eval_reward", "Held-out reward");
        titles.put("kl", "KL divergence from the reference, smoothed");
        titles.put("objective/kl", "KL divergence from the reference, smoothed");
        titles.put(
                "rewards/accuracies", "Share of pairs whose chosen answer is preferred, smoothed");
        titles.put("eval_rewards/accuracies", "The same share on held-out pairs");
        return titles;
    }

    /**
     * Reads what was logged, by earlier sessions of the stage too.
     *
     * @param stage the stage's directory
     */
    static StageCurves read(Path stage) throws IOException {
        Map<String, List<Point>> logged = new LinkedHashMap<>();
        int steps = read(stage, 0, logged);
        // each iteration of iterative DPO logs beside its own checkpoints, from step 1 on
        for (int i = 1; Files.isDirectory(stage.resolve("iteration-" + i)); i++) {
            steps = read(stage.resolve("iteration-" + i), steps, logged);
        }
        Map<String, List<Point>> shown = new LinkedHashMap<>();
        for (String name : TITLES.keySet()) {
            if (logged.containsKey(name) && !isToldOtherwise(name, logged.keySet())) {
                shown.put(name, logged.get(name));
            }
        }
        return new StageCurves(shown);
    }

    /** Reads a file whose steps come after others, and returns how many there are then. */
    private static int read(Path directory, int before, Map<String, List<Point>> logged)
            throws IOException {
        Path file = directory.resolve("metrics.jsonl");
        int last = before;
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                Optional<JsonObject> json = parse(line);
                if (json.isPresent()) {
                    int step = before + json.get().get("step").getAsInt();
                    add(json.get(), step, logged);
                    last = Math.max(last, step);
                }
            }
        }
        return last;
    }

    /** PPO logs the mean reward by two names, and held-out rewards with the sign turned too. */
    private static boolean isToldOtherwise(String name, Set<String> logged) {
        return (name.equals("objective/scores") && logged.contains("reward"))
                || (name.equals("eval_loss") && logged.contains("eval_reward"));
    }

    private static Optional<JsonObject> parse(String line) {
        try {
            return Optional.of(JsonParser.parseString(line).getAsJsonObject())
                    .filter(json -> json.has("step"));
        } catch (JsonParseException | IllegalStateException e) {
            return Optional.empty(); // a kill cut it off
        }
    }

    private static void add(JsonObject json, int step, Map<String, List<Point>> logged) {
        for (Map.Entry<String, JsonElement> figure : json.entrySet()) {
            JsonElement value = figure.getValue();
            if (TITLES.containsKey(figure.getKey()) && !value.isJsonNull()) {
                logged.computeIfAbsent(figure.getKey(), name -> new ArrayList<>())
                        .add(new Point(step, value.getAsDouble()));
            }
        }
    }

    /** The last training loss that was logged. */
    OptionalDouble lastLoss() {
        List<Point> losses = byName.getOrDefault("loss", List.of());
        return losses.isEmpty()
                ? OptionalDouble.empty()
                : OptionalDouble.of(losses.get(losses.size() - 1).loss());
    }

    static String title(String name) {
        return TITLES.getOrDefault(name, name);
    }

    /** As it is drawn: what was measured on a single batch jumps, what is held out does not. */
    static List<Point> drawn(String name, List<Point> points) {
        return name.startsWith("eval_") ? points : Smoothing.of(points);
    }
}
