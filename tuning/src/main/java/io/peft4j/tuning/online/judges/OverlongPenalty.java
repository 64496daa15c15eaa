package io.peft4j.tuning.online.judges;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;

/**
 * The soft punishment of overlong answers of DAPO (Yu et al., arXiv:2503.14476, equation 13), TRL's
 * {@code get_soft_overlong_punishment}: of an answer of n tokens, its EOS token included,
 *
 * <ul>
 *   <li>0 where n ≤ most − margin,
 *   <li>((most − margin) − n) / margin where n is above that and ≤ most,
 *   <li>−1 where n is above most.
 * </ul>
 *
 * @param most the most tokens an answer should have, TRL's {@code max_completion_len}
 * @param margin over how many tokens below that the punishment grows, TRL's {@code
 *     soft_punish_cache}; with 0 it begins at once
 */
public record OverlongPenalty(int most, int margin) implements RewardFunction {

    /** Checks the lengths. */
    public OverlongPenalty {
        Preconditions.checkArgument(
                most > 0 && margin >= 0 && margin <= most,
                "expected a length above 0 and a margin from 0 to it, found "
                        + most
                        + " and "
                        + margin);
    }

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream().mapToDouble(one -> of(one.ids().length)).toArray();
    }

    private double of(int length) {
        int free = most - margin;
        if (length <= free) {
            return 0;
        }
        return length <= most ? (double) (free - length) / margin : -1;
    }

    @Override
    public String settings() {
        return most + " " + margin;
    }
}
