package io.peft4j.tuning.online.ppo;

import io.peft4j.tuning.online.ClippedRatio;

/**
 * The loss of one update: the means over its tokens of the policy's loss, of the value's times
 * {@code vf_coef}, and, if it is a part of the loss, of the divergence times {@code kl_coef}. It is
 * told of the tokens one by one, gives each one's slope, and remembers what it has seen.
 */
final class PpoLoss {

    private final PpoConfig config;
    private final long tokens;
    private double policy;
    private double value;
    private double kl;
    private double squaredChange;
    private double ratio;
    private double entropy;
    private long policyClipped;
    private long valueClipped;

    /**
     * Begins an update.
     *
     * @param config the settings
     * @param tokens the tokens of its answers
     */
    PpoLoss(PpoConfig config, long tokens) {
        this.config = config;
        this.tokens = tokens;
    }

    /**
     * Adds what the policy says of a token now.
     *
     * @param experience what the token teaches
     * @param row its answer
     * @param token its place in the answer
     * @param logProbability log π of it
     * @param unsure the entropy of what it was taken from
     * @return the derivative of the update's loss by log π
     */
    double policy(
            PpoExperience experience, int row, int token, double logProbability, double unsure) {
        ScoredAnswer answer = experience.answer(row);
        double change = logProbability - answer.logProbability(token);
        double moved = Math.exp(change);
        double advantage = experience.advantages(row)[token];
        double range = config.clipRange();
        ClippedRatio loss = ClippedRatio.of(moved, advantage, range, range);
        policy += loss.value();
        policyClipped += loss.low() || loss.high() ? 1 : 0;
        squaredChange += change * change;
        ratio += moved;
        entropy += unsure;
        double slope = loss.slope();
        if (config.klInLoss()) {
            double reference = answer.reference(token);
            kl += config.klEstimator().of(logProbability, reference);
            slope += config.klCoef() * config.klEstimator().slope(logProbability, reference);
        }
        return slope / tokens;
    }

    /**
     * Adds what the value function says before a token now.
     *
     * @param experience what the token teaches
     * @param row its answer
     * @param token its place in the answer
     * @param now v
     * @return the derivative of the update's loss by v
     */
    double value(PpoExperience experience, int row, int token, double now) {
        ClippedValue loss =
                ClippedValue.of(
                        now,
                        experience.answer(row).value(token),
                        experience.returns(row)[token],
                        config.valueClipRange());
        value += loss.loss();
        valueClipped += loss.clipped() ? 1 : 0;
        return config.valueCoef() * loss.slope() / tokens;
    }

    /** Returns the loss that the slopes are of. */
    double total() {
        return policyMean() + config.valueCoef() * valueMean() + config.klCoef() * klMean();
    }

    double policyMean() {
        return policy / tokens;
    }

    double valueMean() {
        return value / tokens;
    }

    /** Returns the mean divergence from the reference; 0 if it is no part of the loss. */
    double klMean() {
        return kl / tokens;
    }

    /** Returns ½ (log π − log π_old)², which is about the divergence from the old policy. */
    double approximateKl() {
        return squaredChange / 2 / tokens;
    }

    double ratioMean() {
        return ratio / tokens;
    }

    double entropyMean() {
        return entropy / tokens;
    }

    double policyClipFraction() {
        return (double) policyClipped / tokens;
    }

    double valueClipFraction() {
        return (double) valueClipped / tokens;
    }
}
