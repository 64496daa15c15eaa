package io.peft4j.tuning;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.peft4j.files.AtomicFiles;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes a training's numbers as JSON Lines, under the names of transformers' log history: {@code
 * step}, {@code loss}, {@code grad_norm}, {@code learning_rate}; {@code eval_loss}; and a task's
 * own metrics, such as {@code rewards/margins} and {@code eval_rewards/margins}. A number that is
 * not finite is null. A resumed run goes on behind the last line of the steps it resumes from.
 */
public final class JsonLinesMetrics implements TrainingObserver {

    private final Path file;

    /**
     * Writes into a file.
     *
     * @param file the file; its directory must exist when training starts
     */
    public JsonLinesMetrics(Path file) {
        this.file = file;
    }

    @Override
    public void onStart(int doneSteps, int totalSteps) {
        try {
            Interruptions.hold(() -> AtomicFiles.writeString(file, linesUntil(doneSteps)));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private String linesUntil(int doneSteps) throws IOException {
        StringBuilder kept = new StringBuilder();
        if (doneSteps > 0 && Files.exists(file)) {
            for (String line : Files.readString(file).split("\n", -1)) {
                if (stepOf(line) <= doneSteps) {
                    kept.append(line).append('\n');
                }
            }
        }
        return kept.toString();
    }

    /** Returns a line's step; of a line that a kill cut off, a step that is never reached. */
    private static int stepOf(String line) {
        try {
            return JsonParser.parseString(line).getAsJsonObject().get("step").getAsInt();
        } catch (JsonParseException
                | IllegalStateException
                | NullPointerException
                | NumberFormatException e) {
            return Integer.MAX_VALUE;
        }
    }

    @Override
    public void onStep(TrainingStep step) {
        JsonObject json = new JsonObject();
        json.addProperty("step", step.step());
        LogHistory.of(step).forEach((name, value) -> add(json, name, value));
        json.addProperty("tokens", step.tokens());
        json.addProperty("labelled_tokens", step.labelled());
        append(json);
    }

    @Override
    public void onEvaluation(int step, EvaluationResult result, boolean best) {
        JsonObject json = new JsonObject();
        json.addProperty("step", step);
        LogHistory.of(result).forEach((name, value) -> add(json, name, value));
        if (result.metrics().isEmpty()) {
            json.addProperty("eval_tokens", result.tokens());
        }
        json.addProperty("best", best);
        append(json);
    }

    private static void add(JsonObject json, String name, double value) {
        json.addProperty(name, Double.isFinite(value) ? value : null);
    }

    /** A stream and no channel: an interrupt must not cost a line. */
    private void append(JsonObject json) {
        try (OutputStream out = new FileOutputStream(file.toFile(), true)) {
            out.write((json + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private UncheckedIOException failed(IOException e) {
        return new UncheckedIOException(
                new IOException(file + ": cannot write the metrics: " + e.getMessage(), e));
    }
}
