package io.peft4j.tuning.online.group;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** By what {@link GrpoTrainer} divides how much better an answer's reward is than its group's. */
public enum ScaleRewards {

    /** By the standard deviation of the answers to the same prompt. */
    GROUP,

    /** By the standard deviation of all answers of the step. */
    BATCH,

    /** By nothing: questions that are hard or easy weigh no more than others (Dr. GRPO). */
    NONE;

    /**
     * Finds one by its name in TRL.
     *
     * @param name such as {@code group}
     * @return the choice
     * @throws IllegalArgumentException if there is none of that name
     */
    public static ScaleRewards ofTrlName(String name) {
        return Arrays.stream(values())
                .filter(one -> one.trlName().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected how to scale rewards, "
                                                + Arrays.stream(values())
                                                        .map(ScaleRewards::trlName)
                                                        .collect(Collectors.joining(", "))
                                                + ", found \""
                                                + name
                                                + "\""));
    }

    /**
     * Returns its name in TRL.
     *
     * @return the name
     */
    public String trlName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
