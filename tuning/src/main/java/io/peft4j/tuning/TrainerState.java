package io.peft4j.tuning;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a checkpoint holds besides tensors, as {@code trainer_state.json}.
 *
 * @param step the optimizer steps done; order, dropout and learning rate follow from it
 * @param rowsTaken the rows that these steps took
 * @param epoch how often that is all rows
 * @param progress what the evaluations so far have shown
 * @param settings what must be the same in a resumed run
 * @param environment what should be the same for bit-identical results
 * @param compute how the run computes, see {@link ComputeRecord}; empty in earlier releases' files
 */
record TrainerState(
        int step,
        long rowsTaken,
        double epoch,
        Progress progress,
        Map<String, String> settings,
        Map<String, String> environment,
        Map<String, String> compute) {

    static final String FILE = "trainer_state.json";
    private static final int FORMAT = 1;
    private static final int MAX_BYTES = 1 << 20;
    private static final int MAX_DEPTH = 8;

    /**
     * The evaluations so far, and the time.
     *
     * @param lastEvaluation the step of the last one, or 0
     * @param lastLoss its held-out loss, or infinity
     * @param bestStep the step of the smallest held-out loss, or 0
     * @param bestLoss that loss, or infinity
     * @param withoutImprovement the evaluations since then
     * @param seconds how long the steps took, those before a resume included
     */
    record Progress(
            int lastEvaluation,
            double lastLoss,
            int bestStep,
            double bestLoss,
            int withoutImprovement,
            double seconds) {

        static final Progress NONE =
                new Progress(0, Double.POSITIVE_INFINITY, 0, Double.POSITIVE_INFINITY, 0, 0);

        Progress after(int step, double loss) {
            return loss < bestLoss
                    ? new Progress(step, loss, step, loss, 0, seconds)
                    : new Progress(step, loss, bestStep, bestLoss, withoutImprovement + 1, seconds);
        }

        Progress later(double took) {
            return new Progress(
                    lastEvaluation,
                    lastLoss,
                    bestStep,
                    bestLoss,
                    withoutImprovement,
                    seconds + took);
        }
    }

    void write(Path directory) throws IOException {
        JsonObject json = new JsonObject();
        json.addProperty("format", FORMAT);
        json.addProperty("step", step);
        json.addProperty("rows_taken", rowsTaken);
        json.addProperty("epoch", epoch);
        json.addProperty("last_evaluation", progress.lastEvaluation);
        json.addProperty("best_step", progress.bestStep);
        if (progress.lastEvaluation > 0) { // JSON has no infinity
            json.addProperty("last_loss", progress.lastLoss);
            json.addProperty("best_loss", progress.bestLoss);
        }
        json.addProperty("evaluations_without_improvement", progress.withoutImprovement);
        json.addProperty("seconds", progress.seconds);
        json.add("settings", object(settings));
        json.add("environment", object(environment));
        json.add("compute", object(compute));
        Files.writeString(
                directory.resolve(FILE),
                new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(json)
                        + "\n");
    }

    static TrainerState read(Path directory) throws IOException {
        Path file = directory.resolve(FILE);
        JsonElement element = StrictJson.read(file, MAX_BYTES, MAX_DEPTH);
        try {
            JsonObject json = element.getAsJsonObject();
            int format = json.get("format").getAsInt();
            if (format != FORMAT) {
                throw new IOException(
                        file + ": expected the format " + FORMAT + ", found " + format);
            }
            return new TrainerState(
                    json.get("step").getAsInt(),
                    json.get("rows_taken").getAsLong(),
                    json.get("epoch").getAsDouble(),
                    progress(json),
                    map(json.getAsJsonObject("settings")),
                    map(json.getAsJsonObject("environment")),
                    json.has("compute") ? map(json.getAsJsonObject("compute")) : Map.of());
        } catch (IllegalStateException
                | UnsupportedOperationException
                | NullPointerException
                | ClassCastException
                | NumberFormatException e) {
            throw new IOException(file + ": expected a trainer's state, found another text", e);
        }
    }

    private static Progress progress(JsonObject json) {
        int lastEvaluation = json.get("last_evaluation").getAsInt();
        // earlier releases did not tell
        double seconds = json.has("seconds") ? json.get("seconds").getAsDouble() : 0;
        return lastEvaluation == 0
                ? Progress.NONE.later(seconds)
                : new Progress(
                        lastEvaluation,
                        json.get("last_loss").getAsDouble(),
                        json.get("best_step").getAsInt(),
                        json.get("best_loss").getAsDouble(),
                        json.get("evaluations_without_improvement").getAsInt(),
                        seconds);
    }

    private static JsonObject object(Map<String, String> values) {
        JsonObject object = new JsonObject();
        values.forEach(object::addProperty);
        return object;
    }

    private static Map<String, String> map(JsonObject object) {
        Map<String, String> map = new LinkedHashMap<>();
        object.asMap().forEach((key, value) -> map.put(key, value.getAsString()));
        return map;
    }
}
