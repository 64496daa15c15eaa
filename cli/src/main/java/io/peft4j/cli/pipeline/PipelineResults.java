package io.peft4j.cli.pipeline;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.cli.compare.Point;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Predicate;

/**
 * What came of a pipeline whose stages are all finished: a table, and JSON.
 *
 * @param stages in the order in which they were done, evaluations between them left out
 */
public record PipelineResults(List<StageResult> stages) {

    private static final String NOTHING = "–";

    /** Copies the stages. */
    public PipelineResults {
        stages = List.copyOf(stages);
    }

    /**
     * Collects the results.
     *
     * @param planned all stages, which are finished
     * @param folder what is known of them
     * @return their results
     * @throws IOException if a stage's metrics cannot be read
     */
    public static PipelineResults read(List<PlannedStage> planned, PipelineFolder folder)
            throws IOException {
        List<StageResult> results = new ArrayList<>();
        for (PlannedStage stage : planned) {
            if (stage.isEvaluation()) {
                continue;
            }
            StageRecord record = folder.record(stage);
            Path output = stage.output().orElse(folder.file(stage.name()));
            results.add(
                    new StageResult(
                            stage,
                            record.seconds(),
                            record.result().orElseThrow(),
                            evaluation(stage.before(), planned, folder),
                            evaluation(stage.after(), planned, folder),
                            StageCurves.read(output)));
        }
        return new PipelineResults(results);
    }

    private static JsonObject evaluation(
            Optional<String> name, List<PlannedStage> planned, PipelineFolder folder) {
        return planned.stream()
                .filter(stage -> Optional.of(stage.name()).equals(name))
                .findFirst()
                .flatMap(stage -> folder.record(stage).result())
                .orElseGet(JsonObject::new);
    }

    /** The heads of the columns; figures that no stage has make none. */
    public List<String> columns() {
        List<String> columns = new ArrayList<>(List.of("stage", "command", "steps", "seconds"));
        if (any(stage -> stage.trainingLoss().isPresent())) {
            columns.add("training loss");
        }
        if (hasHeldOutLoss()) {
            columns.add("held-out loss");
        }
        if (hasReward()) {
            columns.add("held-out reward");
        }
        return columns;
    }

    /** The cells under them. */
    public List<List<String>> rows() {
        List<List<String>> rows = new ArrayList<>();
        for (StageResult result : stages) {
            List<String> row = new ArrayList<>();
            row.add(result.stage().name());
            row.add(result.stage().command());
            row.add(steps(result));
            row.add(seconds(result));
            if (any(stage -> stage.trainingLoss().isPresent())) {
                row.add(figure(result.trainingLoss()));
            }
            if (hasHeldOutLoss()) {
                row.add(change(result.heldOutLossBefore(), result.heldOutLossAfter()));
            }
            if (hasReward()) {
                row.add(change(result.rewardBefore(), result.rewardAfter()));
            }
            rows.add(row);
        }
        return rows;
    }

    /**
     * Writes everything as JSON.
     *
     * @return an object with a list of stages
     */
    public JsonObject json() {
        JsonArray list = new JsonArray();
        for (StageResult result : stages) {
            JsonObject json = new JsonObject();
            json.addProperty("stage", result.stage().name());
            json.addProperty("command", result.stage().command());
            json.addProperty("output", result.stage().output().map(Path::toString).orElse(null));
            put(json, "steps", result.steps());
            json.addProperty("seconds", result.seconds());
            put(json, "training_loss", result.trainingLoss());
            put(json, "held_out_loss_before", result.heldOutLossBefore());
            put(json, "held_out_loss_after", result.heldOutLossAfter());
            put(json, "held_out_reward_before", result.rewardBefore());
            put(json, "held_out_reward_after", result.rewardAfter());
            json.add("printed", result.printed());
            JsonObject settings = new JsonObject();
            for (Map.Entry<String, String> setting : result.stage().settings().entrySet()) {
                settings.addProperty(setting.getKey(), setting.getValue());
            }
            json.add("settings", settings);
            list.add(json);
        }
        JsonObject json = new JsonObject();
        json.add("stages", list);
        return json;
    }

    private static void put(JsonObject json, String key, OptionalDouble value) {
        json.addProperty(key, value.isPresent() ? value.getAsDouble() : null);
    }

    boolean hasHeldOutLoss() {
        return any(stage -> stage.heldOutLossAfter().isPresent());
    }

    boolean hasReward() {
        return any(stage -> stage.rewardAfter().isPresent());
    }

    /**
     * The held-out reward by all optimizer steps so far, from before the first stage on. Of stages
     * that begin elsewhere than where the one before ended there is no such curve.
     */
    List<Point> rewardByStep() {
        List<Point> points = new ArrayList<>();
        int steps = 0;
        Optional<String> last = Optional.empty();
        for (StageResult result : stages) {
            if (result.rewardBefore().isEmpty() || result.rewardAfter().isEmpty()) {
                continue;
            }
            if (points.isEmpty()) {
                points.add(new Point(0, result.rewardBefore().getAsDouble()));
            } else if (!result.stage().before().equals(last)) {
                return List.of();
            }
            steps += (int) result.steps().orElse(0);
            points.add(new Point(steps, result.rewardAfter().getAsDouble()));
            last = result.stage().after();
        }
        return points;
    }

    private boolean any(Predicate<StageResult> has) {
        return stages.stream().anyMatch(has);
    }

    static String steps(StageResult result) {
        return result.steps().isPresent()
                ? String.format(Locale.ROOT, "%,.0f", result.steps().getAsDouble())
                : NOTHING;
    }

    static String seconds(StageResult result) {
        return String.format(Locale.ROOT, "%,.1f", result.seconds());
    }

    static String figure(OptionalDouble value) {
        return value.isPresent()
                ? String.format(Locale.ROOT, "%.4f", value.getAsDouble())
                : NOTHING;
    }

    static String change(OptionalDouble before, OptionalDouble after) {
        return before.isPresent() ? figure(before) + " → " + figure(after) : figure(after);
    }
}
