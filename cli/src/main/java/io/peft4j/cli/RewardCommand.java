package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.preference.PreferencePair;
import io.peft4j.tuning.reward.RewardConfig;
import io.peft4j.tuning.reward.RewardDataset;
import io.peft4j.tuning.reward.RewardHead;
import io.peft4j.tuning.reward.RewardTrainer;
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

/** {@code reward}: learns to judge answers. */
@Command(
        name = "reward",
        description =
                "Trains a reward model on pairs of answers of which one is preferred: an adapter"
                        + " with a score head, as TRL's RewardTrainer and PEFT have it.")
final class RewardCommand implements Callable<Integer> {

    /** TRL's. */
    private static final double LEARNING_RATE = 1e-4;

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private MethodOptions method;
    @Mixin private HyperParameters training;
    @Mixin private RunOptions runs;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "F.jsonl",
            description = "Pairs as JSON Lines: prompt (or none), chosen, rejected, maybe margin.")
    private Path data;

    @Option(names = "--eval-data", paramLabel = "F.jsonl", description = "Held-out pairs.")
    private @Nullable Path evalData;

    @Option(
            names = "--center-rewards-coefficient",
            paramLabel = "C",
            defaultValue = "0",
            description =
                    "Holds rewards around zero: adds C times the square of a pair's sum to its loss"
                            + " (default: ${DEFAULT-VALUE}; TRL recommends 0.01).")
    private double centerRewardsCoefficient;

    @Override
    public Integer call() throws IOException {
        RewardConfig config = check();
        PrintWriter err = spec.commandLine().getErr();
        if (runs.isDry()) {
            JsonObject plan =
                    new DryRun(base.source(), method, training, compute)
                            .planPairs((model, tokenizer) -> read(data, model, tokenizer), err);
            spec.commandLine().getOut().print(runs.text(plan, DryRun.text(plan)));
            return 0;
        }
        try (LoadedModel loaded = LoadedModel.open(base.source(), null, compute, err)) {
            List<PreferencePair> train = read(data, loaded);
            List<PreferencePair> heldOut = evalData == null ? List.of() : read(evalData, loaded);
            loaded.model().addScoreHead(training.seed());
            try (AdaptedModel adapted = method.attach(loaded, base.source(), training, err)) {
                if (!RewardHead.isOf(adapted.adapter())) {
                    throw new UsageException(
                            "--init-adapter must be a reward model, but has no \"score\" among its"
                                    + " modules_to_save; merge it into the base to begin with what"
                                    + " it has learned");
                }
                err.print(adapted.summary().toString().lines().findFirst().orElse("") + "\n");
                try (GracefulStop stop = GracefulStop.begin()) {
                    TrainingResult result =
                            learn(
                                    LanguageModel.of(loaded.model()),
                                    new AdapterTrainable(adapted, facts()),
                                    train,
                                    heldOut,
                                    config);
                    JsonObject json = runs.json(result);
                    spec.commandLine().getOut().print(runs.text(json, runs.text(result)));
                }
            }
        }
        return 0;
    }

    private List<PreferencePair> read(Path file, LoadedModel loaded) throws IOException {
        return read(file, loaded.model().config(), loaded.tokenizer().orElse(null));
    }

    /** Reads pairs; how many are left out is said. */
    private List<PreferencePair> read(Path file, ModelConfig config, @Nullable Tokenizer tokenizer)
            throws IOException {
        int limit = Math.min(training.maxLength(), config.contextLength());
        RewardDataset dataset = RewardDataset.read(file, tokenizer, config.vocabularySize(), limit);
        if (dataset.droppedRows() > 0) {
            spec.commandLine()
                    .getErr()
                    .println(
                            "peft4j: "
                                    + file
                                    + ": "
                                    + dataset.droppedRows()
                                    + " pairs are left out: one of their texts has more than "
                                    + limit
                                    + " tokens");
        }
        return dataset.pairs();
    }

    private TrainingResult learn(
            LanguageModel model,
            AdapterTrainable reward,
            List<PreferencePair> train,
            List<PreferencePair> heldOut,
            RewardConfig config)
            throws IOException {
        try (TrainingProgress progress =
                        TrainingProgress.to(spec.commandLine().getErr(), "reward")
                                .on(model.manager().getDevice());
                Reports reports = runs.reports(progress::onWarning)) {
            return RewardTrainer.train(
                    model,
                    reward,
                    train,
                    heldOut,
                    config,
                    runs.configure(training.config(), 0).build(),
                    runs.output(),
                    reports.after(progress));
        }
    }

    private Map<String, String> facts() throws IOException {
        Map<String, String> facts = DataFiles.facts(data, evalData);
        facts.putAll(method.facts());
        return facts;
    }

    private RewardConfig check() {
        base.check();
        method.check();
        method.requireScoreHead();
        training.check();
        training.preferLearningRate(LEARNING_RATE);
        compute.check();
        Checks.file("--data", data);
        if (evalData != null) {
            Checks.file("--eval-data", evalData);
        }
        Checks.notNegative("--center-rewards-coefficient", centerRewardsCoefficient);
        runs.check(evalData != null);
        return RewardConfig.builder().optCenterRewardsCoefficient(centerRewardsCoefficient).build();
    }
}
