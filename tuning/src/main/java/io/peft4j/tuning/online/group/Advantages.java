package io.peft4j.tuning.online.group;

import io.peft4j.tuning.online.Moments;
import java.util.Arrays;

/**
 * How much better answers are than others to the same prompt, as TRL has it. Equal rewards give
 * advantages of 0 to the last bit, so that no optimizer makes a step of what rounding leaves.
 */
final class Advantages {

    /** What TRL adds to a standard deviation before it divides by it. */
    private static final double EPSILON = 1e-4;

    private static final double ZERO = 1e-8; // torch.isclose's tolerance beside 0

    private final double[] values;
    private final double alike;

    private Advantages(double[] values, double alike) {
        this.values = values;
        this.alike = alike;
    }

    /**
     * Compares with the mean of the group: \(A_i = (r_i - \mu) / (\sigma + 10^{-4})\) (GRPO, Shao
     * et al., arXiv:2402.03300).
     *
     * @param rewards of all answers, those of a group side by side
     * @param each the size of a group
     * @param scaling whose standard deviation σ is
     */
    static Advantages ofGroups(double[] rewards, int each, ScaleRewards scaling) {
        double[] values = new double[rewards.length];
        double ofAll = Moments.of(rewards).deviation();
        int alike = 0;
        for (int from = 0; from < rewards.length; from += each) {
            double[] group = Arrays.copyOfRange(rewards, from, from + each);
            Moments own = Moments.of(group);
            double deviation = scaling == ScaleRewards.BATCH ? ofAll : own.deviation();
            double divisor = scaling == ScaleRewards.NONE ? 1 : deviation + EPSILON;
            for (int i = 0; i < each; i++) {
                values[from + i] = (group[i] - own.mean()) / divisor;
            }
            alike += deviation <= ZERO ? each : 0;
        }
        return new Advantages(values, (double) alike / rewards.length);
    }

    /**
     * Compares with the mean of the others of the group (RLOO, Ahmadian et al., arXiv:2402.14740).
     *
     * @param rewards of all answers, those of a group side by side
     * @param each the size of a group, two at least
     * @param normalize whether the advantages of all answers get mean 0 and standard deviation 1
     */
    static Advantages leaveOneOut(double[] rewards, int each, boolean normalize) {
        double[] values = new double[rewards.length];
        int alike = 0;
        for (int from = 0; from < rewards.length; from += each) {
            double[] group = Arrays.copyOfRange(rewards, from, from + each);
            Moments own = Moments.of(group);
            for (int i = 0; i < each; i++) {
                // r − (n mean − r) / (n − 1)
                values[from + i] = (group[i] - own.mean()) * each / (each - 1);
            }
            alike += own.deviation() <= ZERO ? each : 0;
        }
        if (normalize) {
            Moments all = Moments.of(values);
            for (int i = 0; i < values.length; i++) {
                values[i] = (values[i] - all.mean()) / (all.deviation() + EPSILON);
            }
        }
        return new Advantages(values, (double) alike / rewards.length);
    }

    /** Returns an answer's. */
    double of(int answer) {
        return values[answer];
    }

    /** Tells whether there is nothing to learn from any answer. */
    boolean areZero() {
        return Arrays.stream(values).allMatch(value -> value == 0);
    }

    /** Returns the share of answers whose rewards do not vary where they are compared. */
    double alike() {
        return alike;
    }
}
