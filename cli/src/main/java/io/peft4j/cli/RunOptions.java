package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingResult;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Where a training writes, when it evaluates, saves and stops, and how it is told of. */
final class RunOptions {

    @Option(
            names = "--output",
            paramLabel = "DIR",
            description = "Where the result, metrics.jsonl and the checkpoints go.")
    private @Nullable Path givenOutput;

    @Option(
            names = "--dry-run",
            description =
                    "Trains and writes nothing, and prints the memory that the training would"
                            + " take, from config.json and the data alone.")
    private boolean dryRun;

    @Option(
            names = "--eval-steps",
            paramLabel = "N",
            description = "Evaluates every N steps (default: at the end only).")
    private @Nullable Integer evalSteps;

    @Option(
            names = "--save-steps",
            paramLabel = "N",
            description = "Writes a checkpoint every N steps (default: none).")
    private @Nullable Integer saveSteps;

    @Option(
            names = "--patience",
            paramLabel = "N",
            description =
                    "Stops after N evaluations without a smaller held-out loss or, of ppo, a"
                            + " larger held-out reward.")
    private @Nullable Integer patience;

    @Option(
            names = "--load-best",
            description =
                    "Ends with the checkpoint of the smallest held-out loss or, of ppo, the largest"
                            + " held-out reward.")
    private boolean loadBest;

    @Option(names = "--resume", description = "Goes on from the newest checkpoint in --output.")
    private boolean resume;

    @Mixin private JsonOption json;
    @Mixin private ReportOptions report;

    void check(boolean heldOut) {
        Checks.optionalAtLeast("--eval-steps", evalSteps, 1);
        Checks.optionalAtLeast("--save-steps", saveSteps, 1);
        Checks.optionalAtLeast("--patience", patience, 1);
        if (!heldOut) {
            requireNoHeldOut("--eval-steps", evalSteps != null);
            requireNoHeldOut("--patience", patience != null);
            requireNoHeldOut("--load-best", loadBest);
        }
        if (!resume && !dryRun) {
            OutputDirectory.requireNoRun(
                    output(), "--resume goes on with a run, or choose another directory");
        }
        if (!dryRun) {
            report.check(output(), resume);
        }
    }

    private static void requireNoHeldOut(String flag, boolean given) {
        if (given) {
            throw new UsageException(flag + " needs --eval-data");
        }
    }

    boolean isDry() {
        return dryRun;
    }

    Path output() {
        if (givenOutput == null) {
            throw new UsageException("Missing required option: '--output=DIR'");
        }
        return givenOutput;
    }

    /**
     * Adds these settings to a config.
     *
     * @param saveUnlessSaid after how many steps to save if no flag says so
     */
    TrainingConfig.Builder configure(TrainingConfig.Builder config, int saveUnlessSaid) {
        return config.optEvalSteps(evalSteps == null ? 0 : evalSteps)
                .optSaveSteps(saveSteps == null ? saveUnlessSaid : saveSteps)
                .optPatience(patience == null ? 0 : patience)
                .optRestoreBest(loadBest)
                .optResume(resume);
    }

    /** Begins the reports. */
    Reports reports(Consumer<String> warnings) {
        return report.open(output(), warnings);
    }

    /** Begins the reports of a part of the run, whose files are in a directory in the output. */
    Reports reports(String part, Consumer<String> warnings) {
        return report.open(output().resolve(part), warnings);
    }

    /** Chooses what to print. */
    String text(JsonObject object, String forPeople) {
        return json.text(() -> object, () -> forPeople);
    }

    JsonObject json(TrainingResult result) {
        JsonObject object = new JsonObject();
        object.addProperty("output", output().toString());
        object.addProperty("steps", result.steps());
        object.addProperty("loss", result.loss().isPresent() ? result.loss().getAsDouble() : null);
        object.addProperty(
                "eval_loss",
                result.heldOutLoss().isPresent() ? result.heldOutLoss().getAsDouble() : null);
        result.heldOutReward().ifPresent(reward -> object.addProperty("eval_reward", reward));
        object.addProperty("stopped_early", result.stoppedEarly());
        object.addProperty("tokens_per_second", result.tokensPerSecond());
        return object;
    }

    String text(TrainingResult result) {
        StringBuilder text = new StringBuilder();
        text.append("wrote ").append(output());
        text.append(String.format(Locale.ROOT, ": %d steps", result.steps()));
        result.loss()
                .ifPresent(
                        loss ->
                                text.append(
                                        String.format(
                                                Locale.ROOT, ", last training loss %.4f", loss)));
        text.append(heldOut(result));
        if (result.stoppedEarly()) {
            text.append(", stopped early");
        }
        return text.append('\n').toString();
    }

    private static String heldOut(TrainingResult result) {
        if (result.heldOutReward().isPresent()) {
            double reward = result.heldOutReward().getAsDouble();
            return String.format(Locale.ROOT, ", held-out reward %.4f", reward);
        }
        return result.heldOutLoss().isEmpty()
                ? ""
                : String.format(
                        Locale.ROOT, ", held-out loss %.4f", result.heldOutLoss().getAsDouble());
    }
}
