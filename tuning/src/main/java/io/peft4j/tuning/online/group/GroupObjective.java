package io.peft4j.tuning.online.group;

import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import java.util.List;

/** The loss of some answers, each by itself. */
final class GroupObjective implements TokenObjective {

    private final List<JudgedAnswer> answers;
    private final PolicyLoss loss;
    private final double temperature;
    private final PolicyMetrics metrics;
    private double sum;

    /**
     * Begins a batch.
     *
     * @param answers its rows
     * @param loss of each
     * @param temperature at which the answers were sampled
     * @param metrics gets what is seen
     */
    GroupObjective(
            List<JudgedAnswer> answers,
            PolicyLoss loss,
            double temperature,
            PolicyMetrics metrics) {
        this.answers = answers;
        this.loss = loss;
        this.temperature = temperature;
        this.metrics = metrics;
    }

    @Override
    public double temperature() {
        return temperature;
    }

    @Override
    public float[] slopes(TokenScores scores) {
        float[] slopes = new float[scores.count()];
        int from = 0;
        for (int row = 0; row < answers.size(); row++) {
            int to = from;
            while (to < slopes.length && scores.rowOf(to) == row) {
                to++;
            }
            float[] own = new float[to - from];
            sum += loss.of(answers.get(row), told(scores, from, to), own, metrics);
            System.arraycopy(own, 0, slopes, from, own.length);
            from = to;
        }
        return slopes;
    }

    private float[] told(TokenScores scores, int from, int to) {
        float[] now = new float[to - from];
        for (int i = 0; i < now.length; i++) {
            now[i] = scores.logProbability(from + i);
            metrics.token(scores.entropy(from + i));
        }
        return now;
    }

    /** Returns the weighted loss of all its answers. */
    double sum() {
        return sum;
    }
}
