package io.peft4j.tuning.online.ppo;

import ai.djl.util.Preconditions;

/**
 * Generalised advantage estimation (Schulman et al., arXiv:1506.02438) over the tokens of one
 * answer: \(\delta_t = r_t + \gamma V_{t+1} - V_t\) and \(A_t = \delta_t + \gamma \lambda
 * A_{t+1}\), where behind the last token V and A are 0.
 *
 * @param gamma γ, how much a reward counts that comes a token later
 * @param lambda λ: at 0 an advantage trusts the next value alone, at 1 the rewards alone
 */
public record Gae(double gamma, double lambda) {

    /** Checks the numbers. */
    public Gae {
        Preconditions.checkArgument(
                gamma >= 0 && gamma <= 1, "expected a gamma from 0 to 1, found " + gamma);
        Preconditions.checkArgument(
                lambda >= 0 && lambda <= 1, "expected a lambda from 0 to 1, found " + lambda);
    }

    /**
     * Estimates how much better each token was than what was expected before it.
     *
     * @param rewards r (tokens)
     * @param values V (tokens), each before its token
     * @return A (tokens); A + V are the returns, which values learn
     */
    public double[] advantages(double[] rewards, double[] values) {
        Preconditions.checkArgument(
                rewards.length == values.length,
                "expected a value for each of "
                        + rewards.length
                        + " rewards, found "
                        + values.length);
        double[] advantages = new double[rewards.length];
        double nextValue = 0;
        double next = 0;
        for (int t = rewards.length - 1; t >= 0; t--) {
            double delta = rewards[t] + gamma * nextValue - values[t];
            next = delta + gamma * lambda * next;
            advantages[t] = next;
            nextValue = values[t];
        }
        return advantages;
    }
}
