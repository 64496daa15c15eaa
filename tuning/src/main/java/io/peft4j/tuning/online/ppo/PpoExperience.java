package io.peft4j.tuning.online.ppo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a step's answers teach: rewards of tokens, advantages and returns, as TRL's PPO makes them.
 *
 * <pre>
 *   score ─────────┐
 *   −kl_coef · KL ─┴→ rewards (→ whitened) ─┬→ advantages → returns = advantages + values
 *   values ─────────────────────────────────┘      └→ whitened over all tokens of the step
 * </pre>
 *
 * <p>The score is the reward of the last token. TRL gives it to the padding behind an answer that
 * is shorter than another, and so has a value there; here nothing comes after the last token,
 * whatever else is in the batch.
 */
final class PpoExperience {

    private final List<ScoredAnswer> answers;
    private final PpoConfig config;
    private final List<double[]> rewards = new ArrayList<>();
    private final List<double[]> advantages = new ArrayList<>();
    private final List<double[]> returns = new ArrayList<>();

    PpoExperience(List<ScoredAnswer> answers, PpoConfig config) {
        this.answers = List.copyOf(answers);
        this.config = config;
        this.answers.forEach(answer -> rewards.add(rewards(answer)));
        if (config.whitenRewards()) {
            Whitening.apply(rewards, false);
        }
        for (int row = 0; row < this.answers.size(); row++) {
            double[] values = this.answers.get(row).values();
            double[] advantage = config.gae().advantages(rewards.get(row), values);
            double[] returned = new double[values.length];
            Arrays.setAll(returned, t -> advantage[t] + values[t]);
            advantages.add(advantage);
            returns.add(returned);
        }
        Whitening.apply(advantages, true);
    }

    private double[] rewards(ScoredAnswer answer) {
        double[] tokens = new double[answer.tokens()];
        Arrays.setAll(tokens, t -> nonScoreReward(answer, t));
        tokens[tokens.length - 1] += answer.score();
        return tokens;
    }

    private double nonScoreReward(ScoredAnswer answer, int token) {
        return config.klInLoss() ? 0 : -config.klCoef() * kl(answer, token);
    }

    private double kl(ScoredAnswer answer, int token) {
        return config.klEstimator().of(answer.logProbability(token), answer.reference(token));
    }

    ScoredAnswer answer(int row) {
        return answers.get(row);
    }

    /** Returns the rewards of a row's tokens. */
    double[] rewards(int row) {
        return rewards.get(row);
    }

    /** Returns the whitened advantages of a row's tokens. */
    double[] advantages(int row) {
        return advantages.get(row);
    }

    /** Returns what the values of a row's tokens should have been. */
    double[] returns(int row) {
        return returns.get(row);
    }

    /** Returns TRL's means over answers. */
    Map<String, Double> metrics() {
        double kl = 0;
        double entropy = 0;
        double nonScore = 0;
        double scores = 0;
        int ended = 0;
        for (ScoredAnswer answer : answers) {
            for (int t = 0; t < answer.tokens(); t++) {
                kl += kl(answer, t);
                entropy -= answer.logProbability(t);
                nonScore += nonScoreReward(answer, t);
            }
            scores += answer.score();
            ended += answer.ended() ? 1 : 0;
        }
        int count = answers.size();
        Map<String, Double> metrics = new LinkedHashMap<>();
        metrics.put("objective/kl", kl / count);
        metrics.put("objective/entropy", entropy / count);
        metrics.put("objective/non_score_reward", nonScore / count);
        metrics.put("objective/rlhf_reward", (nonScore + scores) / count);
        metrics.put("objective/scores", scores / count);
        metrics.put("val/num_eos_tokens", (double) ended);
        return metrics;
    }
}
