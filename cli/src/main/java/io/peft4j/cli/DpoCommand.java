package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.SftTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.preference.DpoConfig;
import io.peft4j.tuning.preference.DpoTrainer;
import io.peft4j.tuning.preference.IterationFigures;
import io.peft4j.tuning.preference.IterativeDpo;
import io.peft4j.tuning.preference.PreferenceDataset;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code dpo}: learns which of two answers is better. */
@Command(
        name = "dpo",
        description =
                "Trains an adapter on pairs of answers of which one is preferred: direct preference"
                        + " optimisation and its relatives, under TRL's names. With --prompts the"
                        + " pairs are of its own answers, sampled anew in each iteration.")
final class DpoCommand implements Callable<Integer> {

    /** TRL's 1e-6 is for all weights; adapters learn about ten times as fast. */
    private static final double LEARNING_RATE = 1e-5;

    private static final double SFT_LEARNING_RATE = 2e-4;

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private MethodOptions method;
    @Mixin private PreferenceFlags preference;
    @Mixin private HyperParameters training;
    @Mixin private PairOptions pairs;
    @Mixin private RunOptions runs;
    @Mixin private ComputeOptions compute;
    @Mixin private IterationOptions iterations;

    @Option(
            names = "--data",
            paramLabel = "F.jsonl",
            description = "Pairs as JSON Lines: prompt (or none), chosen and rejected.")
    private @Nullable Path givenData;

    @Option(names = "--eval-data", paramLabel = "F.jsonl", description = "Held-out pairs.")
    private @Nullable Path evalData;

    @Option(
            names = "--sft-first",
            description =
                    "Fine-tunes on the chosen answers first, into OUTPUT/sft, with the same batches"
                            + " and epochs; the reference is what came of it.")
    private boolean sftFirst;

    @Option(
            names = "--sft-learning-rate",
            paramLabel = "LR",
            description = "The learning rate of that (default: 2e-4).")
    private @Nullable Double sftLearningRate;

    @Override
    public Integer call() throws IOException {
        DpoConfig config = check();
        PrintWriter err = spec.commandLine().getErr();
        if (runs.isDry()) {
            JsonObject plan =
                    new DryRun(base.source(), method, training, compute)
                            .planPairs(
                                    (model, tokenizer) ->
                                            pairs.read(
                                                            data(),
                                                            model,
                                                            tokenizer,
                                                            training.maxLength(),
                                                            err)
                                                    .pairs(),
                                    err);
            spec.commandLine().getOut().print(runs.text(plan, DryRun.text(plan)));
            return 0;
        }
        try (LoadedModel loaded = LoadedModel.open(base.source(), null, compute, err)) {
            if (iterations.areGiven()) {
                iterate(loaded, config, err);
                return 0;
            }
            PreferenceDataset train = read(data(), loaded, err);
            List<PreferencePair> heldOut =
                    evalData == null ? List.of() : read(evalData, loaded, err).pairs();
            try (AdaptedModel adapted = method.attach(loaded, base.source(), training, err)) {
                err.print(adapted.summary().toString().lines().findFirst().orElse("") + "\n");
                LanguageModel model = LanguageModel.of(loaded.model());
                AdapterTrainable policy = new AdapterTrainable(adapted, facts());
                try (GracefulStop stop = GracefulStop.begin()) {
                    if (sftFirst) {
                        fineTune(model, policy, train);
                    }
                    TrainingResult result = learn(model, policy, train, heldOut, config);
                    JsonObject json = runs.json(result);
                    spec.commandLine().getOut().print(runs.text(json, runs.text(result)));
                }
            }
        }
        return 0;
    }

    private void iterate(LoadedModel loaded, DpoConfig config, PrintWriter err) throws IOException {
        List<Prompt> prompts = iterations.read(loaded, err);
        List<IterationFigures> figures;
        try (AdaptedModel adapted = method.attach(loaded, base.source(), training, err)) {
            err.print(adapted.summary().toString().lines().findFirst().orElse("") + "\n");
            IterativeDpo dpo =
                    new IterativeDpo(
                            loaded.model(),
                            loaded.requireTokenizer(),
                            new AdapterTrainable(adapted, facts()),
                            prompts,
                            iterations
                                    .rewards()
                                    .open(loaded, adapted, prompts, iterations.batchSize()),
                            iterations.config(loaded, prompts, training.maxLength(), pairs),
                            config);
            try (GracefulStop stop = GracefulStop.begin();
                    IterativeDpoProgress progress =
                            new IterativeDpoProgress(
                                    err, runs, loaded.model().manager().getDevice())) {
                figures =
                        dpo.train(
                                runs.configure(training.config(), 0).build(),
                                runs.output(),
                                progress);
            }
        }
        spec.commandLine()
                .getOut()
                .print(
                        runs.text(
                                IterationTable.json(runs.output(), figures),
                                IterationTable.text(runs.output(), figures)));
    }

    private Path data() {
        return Objects.requireNonNull(givenData);
    }

    private PreferenceDataset read(Path file, LoadedModel loaded, PrintWriter err)
            throws IOException {
        return pairs.read(
                file,
                loaded.model().config(),
                loaded.tokenizer().orElse(null),
                training.maxLength(),
                err);
    }

    private void fineTune(LanguageModel model, AdapterTrainable policy, PreferenceDataset train)
            throws IOException {
        TrainingConfig config =
                runs.configure(training.config(), Integer.MAX_VALUE) // else it would leave nothing
                        .optLearningRate(
                                sftLearningRate == null ? SFT_LEARNING_RATE : sftLearningRate)
                        .optEvalSteps(0)
                        .optPatience(0)
                        .optRestoreBest(false)
                        .build();
        try (TrainingProgress progress = progress("sft", model)) {
            TrainingResult unused =
                    SftTrainer.train(
                            model,
                            policy,
                            train.chosen(),
                            List.of(),
                            config,
                            runs.output().resolve("sft"),
                            progress);
        }
    }

    private TrainingResult learn(
            LanguageModel model,
            AdapterTrainable policy,
            PreferenceDataset train,
            List<PreferencePair> heldOut,
            DpoConfig config)
            throws IOException {
        try (TrainingProgress progress = progress("dpo", model);
                Reports reports = runs.reports(progress::onWarning)) {
            return DpoTrainer.train(
                    model,
                    policy,
                    train.pairs(),
                    heldOut,
                    config,
                    runs.configure(training.config(), 0).build(),
                    runs.output(),
                    reports.after(progress));
        }
    }

    private TrainingProgress progress(String task, LanguageModel model) {
        return TrainingProgress.to(spec.commandLine().getErr(), task)
                .on(model.manager().getDevice());
    }

    private Map<String, String> facts() throws IOException {
        Map<String, String> facts =
                DataFiles.facts(iterations.areGiven() ? iterations.prompts() : data(), evalData);
        facts.putAll(method.facts());
        return facts;
    }

    private DpoConfig check() {
        base.check();
        if (method.isFull()) {
            throw new UsageException(
                    "--method must be lora or dora for dpo: full training would change the base,"
                            + " which the reference is made of");
        }
        method.check();
        training.check();
        training.preferLearningRate(LEARNING_RATE);
        pairs.check();
        compute.check();
        iterations.check();
        checkData();
        if (evalData != null) {
            Checks.file("--eval-data", evalData);
        }
        if (sftLearningRate != null) {
            if (!sftFirst) {
                throw new UsageException("--sft-learning-rate needs --sft-first");
            }
            Checks.notNegative("--sft-learning-rate", sftLearningRate);
        }
        runs.check(evalData != null);
        DpoConfig config = preference.config();
        if (iterations.keepsFirstReference() && config.sync().isPresent()) {
            throw new UsageException(
                    "--keep-first-reference and --sync-ref-model: choose one of both");
        }
        return config;
    }

    private void checkData() {
        if (!iterations.areGiven()) {
            if (givenData == null) {
                throw new UsageException("Missing required option: '--data=F.jsonl' or --prompts");
            }
            Checks.file("--data", givenData);
            return;
        }
        requireNotIterative("--data", givenData != null);
        requireNotIterative("--eval-data", evalData != null);
        requireNotIterative("--sft-first", sftFirst);
        requireNotIterative("--dry-run", runs.isDry());
    }

    private static void requireNotIterative(String flag, boolean given) {
        if (given) {
            throw new UsageException(
                    flag + " cannot be given with --prompts, whose answers are sampled");
        }
    }
}
