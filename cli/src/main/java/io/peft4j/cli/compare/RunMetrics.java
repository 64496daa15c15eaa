package io.peft4j.cli.compare;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a run's {@code metrics.jsonl} tells, those steps included that another process did before an
 * interruption.
 *
 * @param training training loss by optimizer step
 * @param heldOut held-out loss by optimizer step
 * @param tokens the tokens trained on, padding not counted
 * @param seconds the time that optimizer steps took
 */
public record RunMetrics(List<Point> training, List<Point> heldOut, long tokens, double seconds) {

    /** Of a run that has done no step. */
    public static final RunMetrics NONE = new RunMetrics(List.of(), List.of(), 0, 0);

    /** Copies the points. */
    public RunMetrics {
        training = List.copyOf(training);
        heldOut = List.copyOf(heldOut);
    }

    /**
     * Reads the metrics of a run.
     *
     * @param run the run's directory
     * @return its metrics; none if it has not begun
     * @throws IOException if the file cannot be read
     */
    public static RunMetrics read(Path run) throws IOException {
        Path file = run.resolve("metrics.jsonl");
        if (!Files.exists(file)) {
            return NONE;
        }
        List<Point> training = new ArrayList<>();
        List<Point> heldOut = new ArrayList<>();
        long tokens = 0;
        double seconds = 0;
        for (String line : Files.readAllLines(file)) {
            Optional<JsonObject> parsed = parse(line);
            if (parsed.isEmpty()) {
                continue; // a kill cut it off
            }
            JsonObject json = parsed.get();
            add(json, "loss", training);
            add(json, "eval_loss", heldOut);
            if (has(json, "tokens") && has(json, "tokens_per_second")) {
                long count = json.get("tokens").getAsLong();
                tokens += count;
                seconds += count / json.get("tokens_per_second").getAsDouble();
            }
        }
        return new RunMetrics(training, heldOut, tokens, seconds);
    }

    private static Optional<JsonObject> parse(String line) {
        try {
            return Optional.of(JsonParser.parseString(line).getAsJsonObject());
        } catch (JsonParseException | IllegalStateException e) {
            return Optional.empty();
        }
    }

    private static void add(JsonObject json, String key, List<Point> points) {
        if (has(json, key)) {
            points.add(new Point(json.get("step").getAsInt(), json.get(key).getAsDouble()));
        }
    }

    private static boolean has(JsonObject json, String key) {
        return json.has(key) && !json.get(key).isJsonNull();
    }

    /**
     * Returns the training speed.
     *
     * @return tokens per second of optimizer steps, or 0 if there were none
     */
    public double tokensPerSecond() {
        return seconds > 0 ? tokens / seconds : 0;
    }

    /** The same with the held-out loss before training as its first point. */
    RunMetrics startingFrom(double lossBefore) {
        List<Point> losses = new ArrayList<>(List.of(new Point(0, lossBefore)));
        losses.addAll(heldOut);
        return new RunMetrics(training, losses, tokens, seconds);
    }
}
