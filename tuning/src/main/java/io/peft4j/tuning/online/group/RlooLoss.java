package io.peft4j.tuning.online.group;

import io.peft4j.tuning.online.ClippedRatio;

/**
 * The loss of an answer in REINFORCE leave-one-out: a {@link ClippedRatio} of the whole answer. The
 * KL divergence from the reference is a part of its reward.
 *
 * @param epsilon how far the ratio may fall
 * @param epsilonHigh how far it may rise
 */
record RlooLoss(double epsilon, double epsilonHigh) implements PolicyLoss {

    @Override
    public double of(JudgedAnswer answer, float[] now, float[] slopes, PolicyMetrics metrics) {
        float[] before = answer.before(now);
        double logRatio = 0;
        for (int i = 0; i < now.length; i++) {
            logRatio += (double) now[i] - before[i];
        }
        ClippedRatio all =
                ClippedRatio.of(Math.exp(logRatio), answer.advantage(), epsilon, epsilonHigh);
        for (int i = 0; i < now.length; i++) {
            slopes[i] = (float) (answer.weight() * all.slope());
        }
        metrics.clipped(all.low() ? 1 : 0, all.high() ? 1 : 0, 1);
        return answer.weight() * all.value();
    }
}
