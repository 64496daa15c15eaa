package io.peft4j.examples;

import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.RewardFunction;
import java.util.List;

/** A reward of one's own: each token of an answer costs a hundredth. */
public final class BriefAnswer implements RewardFunction {

    @Override
    public double[] rewards(List<Completion> completions) {
        return completions.stream().mapToDouble(one -> -one.ids().length / 100.0).toArray();
    }
}
