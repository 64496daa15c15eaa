package io.peft4j.tuning.reward;

/**
 * The loss of a pair of rewards (Bradley and Terry, 1952; the margin is of Touvron et al.,
 * arXiv:2307.09288).
 *
 * @param value the loss
 * @param byChosen its derivative by the better answer's reward
 * @param byRejected its derivative by the worse answer's reward
 */
record RewardLoss(double value, double byChosen, double byRejected) {

    static RewardLoss of(double chosen, double rejected, double margin, double centre) {
        double x = chosen - rejected - margin;
        double miss = 1 / (1 + Math.exp(x)); // σ(−x)
        double sum = chosen + rejected;
        return new RewardLoss(
                Math.max(-x, 0) + Math.log1p(Math.exp(-Math.abs(x))) + centre * sum * sum,
                -miss + 2 * centre * sum,
                miss + 2 * centre * sum);
    }
}
