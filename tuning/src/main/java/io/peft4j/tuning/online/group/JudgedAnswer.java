package io.peft4j.tuning.online.group;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An answer as the losses of GRPO and RLOO see it: how good it is, and what it is compared with.
 */
final class JudgedAnswer {

    private final double advantage;
    private final double weight;
    private final float @Nullable [] reference;
    private float @Nullable [] before;

    /**
     * Makes an answer.
     *
     * @param advantage how much better it is than others
     * @param weight of its loss, or of that of each of its tokens, in the step's
     * @param reference the reference's log-probabilities of its tokens; null if it is not asked
     */
    JudgedAnswer(double advantage, double weight, float @Nullable [] reference) {
        this.advantage = advantage;
        this.weight = weight;
        this.reference = reference;
    }

    double advantage() {
        return advantage;
    }

    double weight() {
        return weight;
    }

    float[] reference() {
        return Objects.requireNonNull(reference);
    }

    /**
     * Returns the log-probabilities that the answer was given with. Those are the first that it is
     * seen with, since no parameter moves between sampling and the first update.
     *
     * @param now what the policy says of it now
     */
    float[] before(float[] now) {
        if (before == null) {
            before = now.clone();
        }
        return before;
    }
}
