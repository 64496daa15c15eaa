package io.peft4j.tuning.online;

import ai.djl.ndarray.NDManager;
import io.peft4j.models.TokenScores;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.LanguageModel;
import java.util.List;

/**
 * What a model says of answers: the log-probability of each of their tokens, at the temperature
 * that they were sampled at.
 */
public final class CompletionScores {

    private final float[][] logProbabilities;

    /** Takes the log-probabilities of each answer's tokens. */
    CompletionScores(float[][] logProbabilities) {
        this.logProbabilities = logProbabilities;
    }

    /**
     * Asks a model, with the adapters that are in effect on the calling thread, without dropout.
     *
     * @param model the model
     * @param completions the answers, one at least
     * @param temperature what logits are divided by
     * @param batchSize how many answers go through the model together
     * @param beforeBatch is run before each batch; it may throw, to end this
     * @return what it says of them
     */
    public static CompletionScores of(
            LanguageModel model,
            List<Completion> completions,
            double temperature,
            int batchSize,
            Runnable beforeBatch) {
        float[][] all = new float[completions.size()][];
        for (int from = 0; from < all.length; from += batchSize) {
            beforeBatch.run();
            int to = Math.min(from + batchSize, all.length);
            List<Completion> some = completions.subList(from, to);
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch =
                            Batch.of(scope, some.stream().map(Completion::example).toList())) {
                TokenScores scores = model.tokenScores(batch.ids(), batch.labels(), temperature);
                int token = 0;
                for (int i = from; i < to; i++) {
                    all[i] = new float[completions.get(i).ids().length];
                    for (int j = 0; j < all[i].length; j++) {
                        all[i][j] = scores.logProbability(token++);
                    }
                }
            }
        }
        return new CompletionScores(all);
    }

    /**
     * Returns the log-probabilities of an answer.
     *
     * @param completion its number, from 0
     * @return log p of each of its tokens (length), the EOS token among them; not to be changed
     */
    public float[] of(int completion) {
        return logProbabilities[completion];
    }

    /**
     * Returns the log-probability of a whole answer.
     *
     * @param completion its number, from 0
     * @return the sum over its tokens
     */
    public double sum(int completion) {
        double sum = 0;
        for (float value : logProbabilities[completion]) {
            sum += value;
        }
        return sum;
    }
}
