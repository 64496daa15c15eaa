package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.reward.RewardModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What answers are judged by. */
final class RewardOptions {

    /** What the adapter of the first reward model is called on the base. */
    static final String ADAPTER = "reward";

    /** What metrics call a reward model. */
    private static final String JUDGE = "reward_model";

    @Option(
            names = "--reward",
            paramLabel = "NAME[=WEIGHT]",
            description =
                    "Judges answers by this; may be given several times, rewards times weights add"
                            + " up. final_answer: the row's answer is reached. exact_match: the"
                            + " answer is the row's. calculator_marks: the share of <<6*7=42>> that"
                            + " are right. regex:PATTERN: it is found. overlong:MOST,MARGIN: DAPO's"
                            + " penalty of answers above MOST - MARGIN tokens. Or a class on the"
                            + " class path, or a file NAME.java, that implements RewardFunction.")
    private List<String> flags = List.of();

    @Option(
            names = "--reward-adapter",
            paramLabel = "DIR[=WEIGHT]",
            description =
                    "Judges answers by a reward model that was trained by reward, on the same"
                            + " base; may be given several times. With ppo --algorithm ppo the"
                            + " value function begins as a copy of the first.")
    private List<String> adapters = List.of();

    private List<Reward> rewards = List.of();
    private List<RewardFlag> models = List.of();

    /** Checks the flags and makes what they name, but for reward models, which need the base. */
    void check() {
        if (!areGiven()) {
            throw new UsageException(
                    "Missing required option: '--reward=NAME[=WEIGHT]' or"
                            + " '--reward-adapter=DIR[=WEIGHT]'");
        }
        rewards = distinct(flags.stream().map(flag -> RewardFlag.parse(flag).reward()).toList());
        models = adapters.stream().map(RewardFlag::parse).toList();
        for (RewardFlag model : models) {
            model.requireFiniteWeight();
            Checks.directory("--reward-adapter", Path.of(model.judge()));
        }
    }

    boolean areGiven() {
        return !flags.isEmpty() || !adapters.isEmpty();
    }

    /** Tells whether {@link #open} puts adapters on the base. */
    boolean hasModels() {
        return !models.isEmpty();
    }

    /** Gives a number to those whose names are taken, since metrics tell them apart by name. */
    private static List<Reward> distinct(List<Reward> all) {
        Map<String, Integer> uses = new HashMap<>();
        List<Reward> distinct = new ArrayList<>();
        for (Reward reward : all) {
            int use = uses.merge(reward.name(), 1, Integer::sum);
            distinct.add(
                    use == 1
                            ? reward
                            : new Reward(
                                    reward.name() + "_" + use, reward.function(), reward.weight()));
        }
        return distinct;
    }

    /**
     * Returns the judges, after {@link #check}. Reward models become adapters named {@code reward},
     * {@code reward_2} and so on, none of them active.
     *
     * @param loaded the base
     * @param adapted the base with its adapters; may be null where {@link #hasModels} is false
     * @param prompts those whose answers are to be judged
     * @param batchSize how many texts a reward model takes together
     * @throws io.peft4j.tuning.online.RewardException if the answers to one cannot be judged
     */
    List<Reward> open(
            LoadedModel loaded, @Nullable AdaptedModel adapted, List<Prompt> prompts, int batchSize)
            throws IOException {
        List<Reward> all = new ArrayList<>(judges(prompts));
        for (int i = 0; i < models.size(); i++) {
            Path directory = Path.of(models.get(i).judge());
            String name = i == 0 ? ADAPTER : ADAPTER + "_" + (i + 1);
            RewardFunction judge =
                    RewardModel.open(
                            loaded.model(),
                            Objects.requireNonNull(adapted),
                            name,
                            directory,
                            batchSize);
            all.add(new Reward(JUDGE, judge, models.get(i).weight()));
        }
        return distinct(all);
    }

    /** The judges that need no model. */
    List<Reward> judges(List<Prompt> prompts) {
        for (Prompt prompt : prompts) {
            rewards.forEach(reward -> reward.function().check(prompt));
        }
        return rewards;
    }
}
