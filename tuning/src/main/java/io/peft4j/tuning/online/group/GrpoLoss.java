package io.peft4j.tuning.online.group;

import io.peft4j.tuning.online.ClippedRatio;

/**
 * The loss of an answer in group relative policy optimisation: per token a {@link ClippedRatio} and
 * β times an estimate of the KL divergence from the reference, \(e^d - d - 1\) with d = log π_ref −
 * log π (k3 of Schulman, "Approximating KL Divergence", 2020).
 *
 * @param epsilon how far ratios may fall
 * @param epsilonHigh how far they may rise
 * @param beta of the KL term; at 0 there is none
 * @param bySequence whether tokens share the geometric mean of their ratios
 * @param biasCorrected whether the KL term is multiplied by the ratio
 */
record GrpoLoss(
        double epsilon, double epsilonHigh, double beta, boolean bySequence, boolean biasCorrected)
        implements PolicyLoss {

    @Override
    public double of(JudgedAnswer answer, float[] now, float[] slopes, PolicyMetrics metrics) {
        float[] before = answer.before(now);
        double loss =
                bySequence
                        ? clippedTogether(answer, now, before, slopes, metrics)
                        : clippedEach(answer, now, before, slopes, metrics);
        return beta == 0 ? loss : loss + divergence(answer, now, before, slopes, metrics);
    }

    private double clippedEach(
            JudgedAnswer answer,
            float[] now,
            float[] before,
            float[] slopes,
            PolicyMetrics metrics) {
        double sum = 0;
        int low = 0;
        int high = 0;
        for (int i = 0; i < now.length; i++) {
            ClippedRatio one = clipped(Math.exp((double) now[i] - before[i]), answer.advantage());
            sum += one.value();
            slopes[i] = (float) (answer.weight() * one.slope());
            low += one.low() ? 1 : 0;
            high += one.high() ? 1 : 0;
        }
        metrics.clipped(low, high, now.length);
        return answer.weight() * sum;
    }

    /** Every token has the loss of the answer, and moves it by its share of the mean. */
    private double clippedTogether(
            JudgedAnswer answer,
            float[] now,
            float[] before,
            float[] slopes,
            PolicyMetrics metrics) {
        ClippedRatio all = clipped(meanRatio(now, before), answer.advantage());
        for (int i = 0; i < now.length; i++) {
            slopes[i] = (float) (answer.weight() * all.slope());
        }
        metrics.clipped(all.low() ? 1 : 0, all.high() ? 1 : 0, 1);
        return answer.weight() * now.length * all.value();
    }

    private ClippedRatio clipped(double ratio, double advantage) {
        return ClippedRatio.of(ratio, advantage, epsilon, epsilonHigh);
    }

    private static double meanRatio(float[] now, float[] before) {
        double sum = 0;
        for (int i = 0; i < now.length; i++) {
            sum += (double) now[i] - before[i];
        }
        return Math.exp(sum / Math.max(1, now.length));
    }

    /** Adds the KL term's slopes, and returns its loss. */
    private double divergence(
            JudgedAnswer answer,
            float[] now,
            float[] before,
            float[] slopes,
            PolicyMetrics metrics) {
        double shared = bySequence ? meanRatio(now, before) : 1;
        double factor = answer.weight() * beta;
        double sum = 0;
        for (int i = 0; i < now.length; i++) {
            double d = (double) answer.reference()[i] - now[i];
            double k3 = Math.exp(d) - d - 1;
            double ratio =
                    !biasCorrected
                            ? 1
                            : bySequence ? shared : Math.exp((double) now[i] - before[i]);
            sum += k3 * ratio;
            double slope = (1 - Math.exp(d)) * ratio;
            slope += biasCorrected && !bySequence ? k3 * ratio : 0;
            slopes[i] += (float) (factor * slope);
        }
        if (biasCorrected && bySequence) {
            for (int i = 0; i < now.length; i++) {
                slopes[i] += (float) (factor * sum / now.length);
            }
        }
        metrics.divergence(sum);
        return factor * sum;
    }
}
