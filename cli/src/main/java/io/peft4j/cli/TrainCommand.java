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

    /**
     * That of (IA)³'s authors, in {@code configs/ia3.json} of the code of arXiv:2205.05638: factors
     * near 1 need larger steps.
     */
    private static final double IA3_LEARNING_RATE = 3e-3;

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private MethodOptions method;
    @Mixin private HyperParameters training;
    @Mixin private AnswersOption answers;
    @Mixin private RunOptions runs;
    @Mixin private ComputeOptions compute;

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

    @Override
    public Integer call() throws IOException {
        check();
        PrintWriter err = spec.commandLine().getErr();
        if (runs.isDry()) {
            JsonObject plan =
                    new DryRun(base.source(), method, training, compute).plan(data, answers, err);
            spec.commandLine().getOut().print(runs.text(plan, DryRun.text(plan)));
            return 0;
        }
        try (LoadedModel loaded = LoadedModel.open(base.source(), null, compute, err)) {
            List<Example> examples =
                    Datasets.training(data, loaded, training.maxLength(), answers, err);
            List<Example> heldOut =
                    evalData == null ? List.of() : Datasets.whole(evalData, loaded, answers);
            if (method.isFull()) {
                loaded.model().block().freezeParameters(false);
                run(loaded, new FullTrainable(loaded.model()), examples, heldOut);
                loaded.addTokenizer(runs.output());
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
            training.preferLearningRate(IA3_LEARNING_RATE);
        }
        compute.check();
        Checks.file("--data", data);
        if (evalData != null) {
            Checks.file("--eval-data", evalData);
        }
        runs.check(evalData != null);
    }

    private void run(
            LoadedModel loaded, Trainable trainable, List<Example> examples, List<Example> heldOut)
            throws IOException {
        TrainingConfig config = runs.configure(training.config(), 0).build();
        TrainingResult result;
        try (GracefulStop stop = GracefulStop.begin();
                TrainingProgress progress =
                        TrainingProgress.to(spec.commandLine().getErr(), "train")
                                .on(loaded.model().manager().getDevice());
                Reports reports = runs.reports(progress::onWarning)) {
            result =
                    SftTrainer.train(
                            LanguageModel.of(loaded.model()),
                            trainable,
                            examples,
                            heldOut,
                            config,
                            runs.output(),
                            reports.after(progress));
        }
        spec.commandLine().getOut().print(runs.text(runs.json(result), runs.text(result)));
    }
}
