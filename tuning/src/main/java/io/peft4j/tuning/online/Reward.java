package io.peft4j.tuning.online;

import ai.djl.engine.EngineException;
import ai.djl.util.Preconditions;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One of the things that answers are judged by. An answer's reward is the sum over all of them,
 * each times its weight, as TRL's {@code reward_funcs} and {@code reward_weights}.
 *
 * @param name what metrics call it, such as {@code correct}
 * @param function the judge
 * @param weight what its rewards are multiplied by
 */
public record Reward(String name, RewardFunction function, double weight) {

    /** Checks the weight. */
    public Reward {
        Preconditions.checkArgument(
                Double.isFinite(weight), "expected a finite weight, found " + weight);
    }

    /**
     * A judge of weight 1.
     *
     * @param name what metrics call it
     * @param function the judge
     */
    public Reward(String name, RewardFunction function) {
        this(name, function, 1);
    }

    /**
     * Requires one reward at least, each of a name of its own.
     *
     * @param rewards the rewards
     * @throws IllegalArgumentException if there is none, or two have one name
     */
    public static void requireDistinct(List<Reward> rewards) {
        Preconditions.checkArgument(!rewards.isEmpty(), "expected one reward at least");
        long names = rewards.stream().map(Reward::name).distinct().count();
        Preconditions.checkArgument(
                names == rewards.size(),
                "expected rewards of different names, found "
                        + rewards.stream().map(Reward::name).toList());
    }

    /**
     * Refuses prompts whose answers one could not judge, see {@link RewardFunction#check}.
     *
     * @param rewards the rewards
     * @param prompts what will be asked
     * @throws RewardException if the answers to one cannot be judged
     */
    public static void requireJudgeable(List<Reward> rewards, List<Prompt> prompts) {
        for (Reward reward : rewards) {
            prompts.forEach(reward.function()::check);
        }
    }

    /**
     * Judges some answers, by this judge alone and without its weight.
     *
     * @param completions the answers
     * @return a reward for each
     * @throws RewardException if the function failed, or returned another number of rewards, or one
     *     that is not finite
     */
    public double[] of(List<Completion> completions) {
        double[] rewards = ask(completions);
        if (rewards == null || rewards.length != completions.size()) {
            throw new RewardException(
                    "expected a reward for each of "
                            + completions.size()
                            + " answers from \""
                            + name
                            + "\", found "
                            + (rewards == null ? "null" : rewards.length));
        }
        for (int i = 0; i < rewards.length; i++) {
            if (!Double.isFinite(rewards[i])) {
                throw new RewardException(
                        "expected finite rewards from \""
                                + name
                                + "\", found "
                                + rewards[i]
                                + " for the answer \""
                                + shortened(completions.get(i).text())
                                + "\"");
            }
        }
        return rewards;
    }

    /** Functions are of others too, whose exceptions do not say where they came from. */
    private double @Nullable [] ask(List<Completion> completions) {
        try {
            return function.rewards(completions);
        } catch (RewardException | EngineException e) {
            throw e; // these do
        } catch (RuntimeException e) {
            if (Thread.currentThread().isInterrupted()) {
                throw e; // no failure of the function
            }
            throw new RewardException("the reward \"" + name + "\" failed: " + e, e);
        }
    }

    /**
     * Cuts a text, to be shown in a message.
     *
     * @param text a prompt or an answer
     * @return its beginning
     */
    public static String shortened(String text) {
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }
}
