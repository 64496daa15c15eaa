package io.peft4j.tuning.online;

import com.google.gson.JsonParser;
import java.util.Arrays;

/** Answers that no model gave. */
public final class Answers {

    private Answers() {}

    public static Completion of(String row, String text) {
        return new Completion(prompt(row), new long[] {1}, text, true);
    }

    public static Completion ofTokens(int length) {
        return new Completion(prompt("{}"), new long[length], "", true);
    }

    public static Prompt prompt(String row) {
        return new Prompt(new long[] {1}, "?", JsonParser.parseString(row).getAsJsonObject());
    }

    public static double reward(RewardFunction function, Completion... completions) {
        double[] rewards = function.rewards(Arrays.asList(completions));
        return rewards[0];
    }
}
