package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.FullTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.Trainable;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code train}: fine-tunes a model on a file of examples. */
@Command(
        name = "train",
        description =
                "Fine-tunes a model and writes an adapter in PEFT's format, or with --method full a"
                        + " Hugging Face model directory.")
final class TrainCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private MethodOptions method;
    @Mixin private HyperParameters training;
    @Mixin private AnswersOption answers;
    @Mixin private ComputeOptions compute;
    @Mixin private ReportOptions report;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "F.jsonl",
            description = "Training examples as JSON Lines.")
    private Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "F.jsonl",
            description = "Held-out examples; a row longer than the context is an error.")
    private @Nullable Path evalData;

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
            description = "Stops after N evaluations without a smaller held-out loss.")
    private @Nullable Integer patience;

    @Option(
            names = "--load-best",
            description = "Ends with the checkpoint of the smallest held-out loss.")
    private boolean loadBest;

    @Option(names = "--resume", description = "Goes on from the newest checkpoint in --output.")
    private boolean resume;

    @Option(names = "--json", description = "Prints one JSON object at the end.")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        check();
        PrintWriter err = spec.commandLine().getErr();
        if (dryRun) {
            JsonObject plan =
                    new DryRun(base.source(), method, training, compute).plan(data, answers, err);
            spec.commandLine().getOut().print(json ? Json.text(plan) + "\n" : DryRun.text(plan));
            return 0;
        }
        Path output = output();
        try (LoadedModel loaded = LoadedModel.open(base.source(), null, compute, err)) {
            List<Example> examples =
                    Datasets.training(data, loaded, training.maxLength(), answers, err);
            List<Example> heldOut =
                    evalData == null ? List.of() : Datasets.whole(evalData, loaded, answers);
            if (method.isFull()) {
                loaded.model().block().freezeParameters(false);
                run(loaded, new FullTrainable(loaded.model()), examples, heldOut);
                loaded.addTokenizer(output);
            } else {
                try (AdaptedModel adapted = method.attach(loaded, base.source(), training, err)) {
                    err.print(adapted.summary().toString().lines().findFirst().orElse("") + "\n");
                    run(loaded, new AdapterTrainable(adapted, facts()), examples, heldOut);
                }
            }
        }
        return 0;
    }

    /** What the provenance is to tell besides what the trainer knows. */
    private Map<String, String> facts() throws IOException {
        Map<String, String> facts = DataFiles.facts(data, evalData);
        facts.putAll(method.facts());
        return facts;
    }

    private void check() {
        base.check();
        method.check();
        training.check();
        if (method.isFull()) {
            training.requireNoLoraPlus("--method full trains no factors of LoRA");
            compute.requireFloat32("--method full trains the weights themselves, in float32");
        }
        if (method.isIa3()) {
            training.requireNoLoraPlus("--method ia3 has no factors of LoRA");
            training.preferIa3Rate();
        }
        compute.check();
        Checks.file("--data", data);
        if (evalData != null) {
            Checks.file("--eval-data", evalData);
        }
        Checks.optionalAtLeast("--eval-steps", evalSteps, 1);
        Checks.optionalAtLeast("--save-steps", saveSteps, 1);
        Checks.optionalAtLeast("--patience", patience, 1);
        if (evalData == null) {
            requireNoHeldOut("--eval-steps", evalSteps != null);
            requireNoHeldOut("--patience", patience != null);
            requireNoHeldOut("--load-best", loadBest);
        }
        if (!resume && !dryRun) {
            Path output = output();
            OutputDirectory.requireNoRun(
                    output, "--resume goes on with a run, or choose another directory");
        }
        if (!dryRun) {
            report.check(output(), resume);
        }
    }

    private Path output() {
        if (givenOutput == null) {
            throw new UsageException("Missing required option: '--output=DIR'");
        }
        return givenOutput;
    }

    private static void requireNoHeldOut(String flag, boolean given) {
        if (given) {
            throw new UsageException(flag + " needs --eval-data");
        }
    }

    private void run(
            LoadedModel loaded, Trainable trainable, List<Example> examples, List<Example> heldOut)
            throws IOException {
        TrainingConfig config =
                training.config()
                        .optEvalSteps(evalSteps == null ? 0 : evalSteps)
                        .optSaveSteps(saveSteps == null ? 0 : saveSteps)
                        .optPatience(patience == null ? 0 : patience)
                        .optRestoreBest(loadBest)
                        .optResume(resume)
                        .build();
        Path output = output();
        TrainingResult result;
        try (GracefulStop stop = GracefulStop.begin();
                TrainingProgress progress =
                        TrainingProgress.to(spec.commandLine().getErr(), "train")
                                .on(loaded.model().manager().getDevice());
                Reports reports = report.open(output, progress::onWarning)) {
            result =
                    SftTrainer.train(
                            LanguageModel.of(loaded.model()),
                            trainable,
                            examples,
                            heldOut,
                            config,
                            output,
                            reports.after(progress));
        }
        spec.commandLine().getOut().print(json ? Json.text(json(result)) + "\n" : text(result));
    }

    private JsonObject json(TrainingResult result) {
        JsonObject object = new JsonObject();
        object.addProperty("output", output().toString());
        object.addProperty("steps", result.steps());
        object.addProperty("loss", result.loss().isPresent() ? result.loss().getAsDouble() : null);
        object.addProperty(
                "eval_loss",
                result.heldOutLoss().isPresent() ? result.heldOutLoss().getAsDouble() : null);
        object.addProperty("stopped_early", result.stoppedEarly());
        object.addProperty("tokens_per_second", result.tokensPerSecond());
        return object;
    }

    private String text(TrainingResult result) {
        StringBuilder text = new StringBuilder();
        text.append("wrote ").append(output());
        text.append(String.format(Locale.ROOT, ": %d steps", result.steps()));
        result.loss()
                .ifPresent(
                        loss ->
                                text.append(
                                        String.format(
                                                Locale.ROOT, ", last training loss %.4f", loss)));
        result.heldOutLoss()
                .ifPresent(
                        loss ->
                                text.append(
                                        String.format(Locale.ROOT, ", held-out loss %.4f", loss)));
        if (result.stoppedEarly()) {
            text.append(", stopped early");
        }
        return text.append('\n').toString();
    }
}
