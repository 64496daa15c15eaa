package io.peft4j.tuning.reward;

import io.peft4j.adapters.Adapter;
import java.util.List;

/** How a reward model's adapter names its score head. */
public final class RewardHead {

    /** PEFT's {@code modules_to_save} of it. */
    public static final List<String> MODULES_TO_SAVE = List.of("score");

    /** PEFT's {@code task_type}. */
    public static final String TASK_TYPE = "SEQ_CLS";

    /** PEFT's key of the head's weight. */
    private static final String KEY = "base_model.model.score.weight";

    private RewardHead() {}

    /**
     * Tells whether an adapter has a score head of its own, which makes a reward model of it, or a
     * value function.
     *
     * @param adapter the adapter
     * @return whether it has
     */
    public static boolean isOf(Adapter adapter) {
        return adapter.parameters().containsKey(KEY);
    }
}
