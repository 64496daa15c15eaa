package io.peft4j.tuning.online.ppo;

import ai.djl.ndarray.NDManager;
import io.peft4j.models.HeadObjective;
import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import io.peft4j.torch.NoDropout;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.TrainingTask;
import java.util.Arrays;
import java.util.List;

/** A mini-batch of an epoch: the optimizer moves policy and value by it once. */
final class PpoUpdate implements TrainingTask.Update {

    private final PpoStep step;
    private final int[] rows;
    private final PpoLoss loss;
    private boolean begun;

    /**
     * Makes an update.
     *
     * @param step the step
     * @param rows the answers of the mini-batch
     * @param loss what it learns by
     */
    PpoUpdate(PpoStep step, int[] rows, PpoLoss loss) {
        this.step = step;
        this.rows = rows;
        this.loss = loss;
    }

    PpoLoss loss() {
        return loss;
    }

    /** Tells whether a micro-batch of it is done. */
    boolean begun() {
        return begun;
    }

    @Override
    public int rows() {
        return rows.length;
    }

    @Override
    public void backward(int from, int to) {
        int[] answers = Arrays.copyOfRange(rows, from, to);
        List<Example> examples = Arrays.stream(answers).mapToObj(step::example).toList();
        double share = (double) answers.length / rows.length;
        try (NoDropout off = NoDropout.begin();
                NDManager scope = step.values().model().manager().newSubManager();
                Batch batch = Batch.of(scope, examples)) {
            step.values()
                    .model()
                    .backward(
                            batch.ids(),
                            batch.mask(),
                            batch.labels(),
                            new OfPolicy(answers),
                            share);
            step.values().backward(scope, batch, examples, ofValue(answers), share);
        }
        begun = true;
    }

    /** The loss as a function of the policy's log-probabilities. */
    private final class OfPolicy implements TokenObjective {

        private final int[] answers;

        OfPolicy(int[] answers) {
            this.answers = answers;
        }

        @Override
        public double temperature() {
            return step.temperature();
        }

        @Override
        public float[] slopes(TokenScores scores) {
            float[] slopes = new float[scores.count()];
            AnswerTokens.visit(
                    slopes.length,
                    scores::rowOf,
                    (i, row, token) ->
                            slopes[i] =
                                    (float)
                                            loss.policy(
                                                    step.experience(),
                                                    answers[row],
                                                    token,
                                                    scores.logProbability(i),
                                                    scores.entropy(i)));
            return slopes;
        }
    }

    /** The loss as a function of the values. */
    private HeadObjective ofValue(int[] answers) {
        return scores -> {
            float[] slopes = new float[scores.count()];
            AnswerTokens.visit(
                    slopes.length,
                    scores::rowOf,
                    (i, row, token) ->
                            slopes[i] =
                                    (float)
                                            loss.value(
                                                    step.experience(),
                                                    answers[row],
                                                    token,
                                                    scores.score(i)));
            return slopes;
        };
    }
}
