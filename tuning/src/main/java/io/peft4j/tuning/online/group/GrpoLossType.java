package io.peft4j.tuning.online.group;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * How {@link GrpoTrainer} weighs the losses of tokens, under TRL's names. All means are over the
 * whole step; TRL takes those of {@link #GRPO} and {@link #BNPO} over micro-batches first.
 */
public enum GrpoLossType {
    /** The mean over the answers of the means over their tokens (Shao et al., arXiv:2402.03300). */
    GRPO {
        @Override
        double weight(int tokens, int answers, long allTokens, int maxNewTokens) {
            return 1.0 / answers / Math.max(1, tokens);
        }
    },
    /** The mean over all tokens of a batch, which here is the step: then it is {@link #DAPO}. */
    BNPO {
        @Override
        double weight(int tokens, int answers, long allTokens, int maxNewTokens) {
            return 1.0 / Math.max(1, allTokens);
        }
    },
    /**
     * The sum over all tokens, divided by the answers times the greatest length of one, so that a
     * token weighs the same in long and short answers and in all steps (Dr. GRPO, Liu et al.,
     * arXiv:2503.20783).
     */
    DR_GRPO {
        @Override
        double weight(int tokens, int answers, long allTokens, int maxNewTokens) {
            return 1.0 / answers / maxNewTokens;
        }
    },
    /** The mean over all tokens of the step (DAPO, Yu et al., arXiv:2503.14476). */
    DAPO {
        @Override
        double weight(int tokens, int answers, long allTokens, int maxNewTokens) {
            return 1.0 / Math.max(1, allTokens);
        }
    };

    /**
     * Returns the weight of a token's loss in the step's.
     *
     * @param tokens of the answer that are learned from
     * @param answers of the step
     * @param allTokens of all of them that are learned from
     * @param maxNewTokens the greatest length of an answer
     */
    abstract double weight(int tokens, int answers, long allTokens, int maxNewTokens);

    /**
     * Finds one by its name in TRL.
     *
     * @param name such as {@code dapo}
     * @return the type
     * @throws IllegalArgumentException if there is none of that name
     */
    public static GrpoLossType ofTrlName(String name) {
        return Arrays.stream(values())
                .filter(one -> one.trlName().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "expected a loss type, "
                                                + Arrays.stream(values())
                                                        .map(GrpoLossType::trlName)
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
