package io.peft4j.cli;

import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** What answers are judged by. */
final class RewardOptions {

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

    private List<Reward> rewards = List.of();

    boolean isGiven() {
        return !flags.isEmpty();
    }

    /** Checks the flags and makes what they name. */
    void check() {
        if (flags.isEmpty()) {
            throw new UsageException("Missing required option: '--reward=NAME[=WEIGHT]'");
        }
        rewards = distinct(flags.stream().map(flag -> RewardFlag.parse(flag).reward()).toList());
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
     * Returns the judges, after {@link #check}.
     *
     * @param prompts those whose answers are to be judged
     * @throws io.peft4j.tuning.online.RewardException if the answers to one cannot be judged
     */
    List<Reward> open(List<Prompt> prompts) {
        for (Prompt prompt : prompts) {
            rewards.forEach(reward -> reward.function().check(prompt));
        }
        return rewards;
    }
}
