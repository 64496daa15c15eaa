package io.peft4j.cli;

import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.group.GroupConfig;
import io.peft4j.tuning.online.group.GrpoConfig;
import io.peft4j.tuning.online.group.GrpoTrainer;
import io.peft4j.tuning.online.group.RlooConfig;
import io.peft4j.tuning.online.group.RlooTrainer;
import io.peft4j.tuning.online.ppo.PpoConfig;
import io.peft4j.tuning.online.ppo.PpoTrainer;
import io.peft4j.tuning.online.ppo.ValueAdapter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code ppo}: learns from rewards of a model's own answers. */
@Command(
        name = "ppo",
        description =
                "Trains an adapter on rewards of the model's own answers: proximal policy"
                        + " optimisation and its relatives, under TRL's names.")
final class PpoCommand implements Callable<Integer> {

    private static final Set<String> ALGORITHMS =
            Set.of(PpoFlags.PPO, GroupFlags.GRPO, GroupFlags.RLOO);

    /** TRL's 1e-6 is for all weights; adapters learn about ten times as fast. */
    private static final double LEARNING_RATE = 1e-5;

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private MethodOptions method;
    @Mixin private RewardOptions rewards;
    @Mixin private PpoFlags ppo;
    @Mixin private GroupFlags group;
    @Mixin private ReferenceSyncOptions reference;
    @Mixin private SamplingOptions sampling;
    @Mixin private HyperParameters training;
    @Mixin private RunOptions runs;
    @Mixin private ComputeOptions compute;

    @Option(
            names = "--algorithm",
            paramLabel = "NAME",
            defaultValue = PpoFlags.PPO,
            description =
                    "ppo, with a value function; or grpo or rloo, which compare several answers to"
                            + " a prompt (default: ${DEFAULT-VALUE}).")
    private String algorithm;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "F.jsonl",
            description =
                    "Prompts as JSON Lines, {\"prompt\": …}, a text or messages; what else a row"
                            + " has is for the rewards.")
    private Path data;

    @Option(
            names = "--eval-data",
            paramLabel = "F.jsonl",
            description = "Held-out prompts, whose mean reward is told.")
    private @Nullable Path evalData;

    @Option(
            names = "--eval-temperature",
            paramLabel = "T",
            defaultValue = "0",
            description =
                    "The temperature at which these are answered; 0 is greedy (default:"
                            + " ${DEFAULT-VALUE}).")
    private double evalTemperature;

    @Override
    public Integer call() throws IOException {
        check();
        PrintWriter err = spec.commandLine().getErr();
        if (runs.isDry()) {
            JsonObject plan =
                    new DryRun(base.source(), method, training, compute)
                            .planPrompts(data, sampling, sequences(), err);
            spec.commandLine().getOut().print(runs.text(plan, DryRun.text(plan)));
            return 0;
        }
        try (LoadedModel loaded = LoadedModel.open(base.source(), null, compute, err)) {
            List<Prompt> train = read(data, loaded, err);
            List<Prompt> heldOut = evalData == null ? List.of() : read(evalData, loaded, err);
            List<Prompt> all = new ArrayList<>(train);
            all.addAll(heldOut);
            GenerationConfig generation = sampling.config(loaded, all);
            try (AdaptedModel adapted = method.attach(loaded, base.source(), training, err)) {
                err.print(adapted.summary().toString().lines().findFirst().orElse("") + "\n");
                AdapterTrainable policy = new AdapterTrainable(adapted, facts());
                List<Reward> judges = rewards.open(loaded, adapted, all, training.batchSize());
                Run run = new Run(loaded, policy, train, heldOut, judges);
                try (GracefulStop stop = GracefulStop.begin()) {
                    TrainingResult result = learn(run, generation);
                    JsonObject json = runs.json(result);
                    spec.commandLine().getOut().print(runs.text(json, runs.text(result)));
                }
            }
        }
        return 0;
    }

    /** What is trained, and on what. */
    private record Run(
            LoadedModel loaded,
            AdapterTrainable policy,
            List<Prompt> train,
            List<Prompt> heldOut,
            List<Reward> rewards) {

        TrainingResult ppo(
                PpoConfig ppo, TrainingConfig config, Path output, TrainingObserver... observers)
                throws IOException {
            AdaptedModel adapted = policy.model();
            if (adapted.names().contains(RewardOptions.ADAPTER)) {
                ValueAdapter.copyOf(adapted, RewardOptions.ADAPTER);
            } else {
                ValueAdapter.fresh(loaded.model(), adapted, config.seed());
            }
            return PpoTrainer.train(
                    loaded.model(),
                    loaded.requireTokenizer(),
                    policy,
                    train,
                    heldOut,
                    rewards,
                    ppo,
                    config,
                    output,
                    observers);
        }

        TrainingResult grpo(
                GrpoConfig grpo, TrainingConfig config, Path output, TrainingObserver... observers)
                throws IOException {
            return GrpoTrainer.train(
                    loaded.model(),
                    loaded.requireTokenizer(),
                    policy,
                    train,
                    heldOut,
                    rewards,
                    grpo,
                    config,
                    output,
                    observers);
        }

        TrainingResult rloo(
                RlooConfig rloo, TrainingConfig config, Path output, TrainingObserver... observers)
                throws IOException {
            return RlooTrainer.train(
                    loaded.model(),
                    loaded.requireTokenizer(),
                    policy,
                    train,
                    heldOut,
                    rewards,
                    rloo,
                    config,
                    output,
                    observers);
        }
    }

    private TrainingResult learn(Run run, GenerationConfig generation) throws IOException {
        try (TrainingProgress progress =
                        TrainingProgress.to(spec.commandLine().getErr(), algorithm)
                                .on(run.loaded().model().manager().getDevice());
                Reports reports = runs.reports(progress::onWarning)) {
            TrainingConfig how = runs.configure(training.config(), 0).build();
            TrainingObserver[] observers = reports.after(progress);
            if (algorithm.equals(PpoFlags.PPO)) {
                return run.ppo(ppoConfig(generation), how, runs.output(), observers);
            }
            GroupConfig config = config(generation);
            return config instanceof GrpoConfig grpo
                    ? run.grpo(grpo, how, runs.output(), observers)
                    : run.rloo((RlooConfig) config, how, runs.output(), observers);
        }
    }

    private GroupConfig config(GenerationConfig generation) {
        return group.config(algorithm, generation, evaluation(generation), reference.sync());
    }

    private PpoConfig ppoConfig(GenerationConfig generation) {
        return ppo.config(generation, evaluation(generation), reference.sync());
    }

    private GenerationConfig evaluation(GenerationConfig generation) {
        return generation.toBuilder().optTemperature(evalTemperature).build();
    }

    /** Counts the sequences of a prompt in a batch. */
    private int sequences() {
        GenerationConfig any = GenerationConfig.builder().optTemperature(1).build();
        if (algorithm.equals(PpoFlags.PPO)) {
            PpoConfig unused = ppoConfig(any);
            return 1;
        }
        return config(any).numGenerations();
    }

    /** Reads prompts; those that are too long are left out, and that is said. */
    private List<Prompt> read(Path file, LoadedModel loaded, PrintWriter err) throws IOException {
        List<Prompt> all = sampling.prompts(file, loaded, err);
        List<Prompt> fitting =
                all.stream().filter(prompt -> prompt.ids().length <= training.maxLength()).toList();
        if (fitting.isEmpty()) {
            throw new UsageException(
                    "--max-length: all prompts of "
                            + file
                            + " have more than "
                            + training.maxLength()
                            + " tokens");
        }
        if (fitting.size() < all.size()) {
            err.println(
                    "peft4j: "
                            + file
                            + ": "
                            + (all.size() - fitting.size())
                            + " prompts are left out: they have more than "
                            + training.maxLength()
                            + " tokens");
        }
        return fitting;
    }

    private Map<String, String> facts() throws IOException {
        Map<String, String> facts = DataFiles.facts(data, evalData);
        facts.putAll(method.facts());
        return facts;
    }

    private void check() {
        if (!ALGORITHMS.contains(algorithm)) {
            throw new UsageException(
                    "--algorithm must be ppo, grpo or rloo, but is \"" + algorithm + "\"");
        }
        base.check();
        if (method.isFull()) {
            throw new UsageException(
                    "--method must be lora or dora for ppo: full training would change the base,"
                            + " which the reference is made of");
        }
        method.check();
        training.check();
        training.preferLearningRate(LEARNING_RATE);
        compute.check();
        Checks.file("--data", data);
        if (evalData != null) {
            Checks.file("--eval-data", evalData);
        }
        Checks.notNegative("--eval-temperature", evalTemperature);
        sampling.preferTemperature(algorithm.equals(PpoFlags.PPO) ? 0.7 : 1);
        sampling.check();
        sampling.requireChance("--algorithm " + algorithm);
        rewards.check();
        group.check(algorithm);
        ppo.check(algorithm);
        runs.check(evalData != null);
        int unused = sequences(); // refuses what contradicts itself before a model is loaded
    }
}
