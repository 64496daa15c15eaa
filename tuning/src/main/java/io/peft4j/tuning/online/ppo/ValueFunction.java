package io.peft4j.tuning.online.ppo;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.models.HeadObjective;
import io.peft4j.models.HeadScores;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import java.util.ArrayList;
import java.util.List;

/**
 * What is expected of an answer before each of its tokens: the score head's output, of the hidden
 * state that predicts the token, with the value adapter.
 *
 * @param model the model
 * @param role its value adapter
 */
record ValueFunction(LanguageModel model, Role role) {

    /**
     * Computes values without gradients.
     *
     * @param rows prompts with answers
     * @param batchSize how many go through the model together
     * @param beforeBatch is run before each batch
     * @return for each row a value per token of its answer
     */
    List<double[]> values(List<Example> rows, int batchSize, Runnable beforeBatch) {
        List<double[]> values = new ArrayList<>();
        try (AdapterScope scope = role.enter()) {
            for (int from = 0; from < rows.size(); from += batchSize) {
                beforeBatch.run();
                values.addAll(values(rows.subList(from, Math.min(from + batchSize, rows.size()))));
            }
        }
        return values;
    }

    private List<double[]> values(List<Example> rows) {
        try (NDManager scope = model.manager().newSubManager();
                Batch batch = Batch.of(scope, rows)) {
            NDArray wanted = AnswerTokens.predictors(scope, rows);
            HeadScores scores = model.headScores(batch.ids(), wanted);
            List<double[]> values = new ArrayList<>();
            rows.forEach(row -> values.add(new double[row.labelled()]));
            AnswerTokens.visit(
                    scores.count(),
                    scores::rowOf,
                    (i, row, token) -> values.get(row)[token] = scores.score(i));
            return values;
        }
    }

    /**
     * Adds the gradient of a loss of the values.
     *
     * @param owner the manager of what is made on the way
     * @param batch the rows
     * @param rows the same
     * @param objective the loss
     * @param share the batch's share of the update
     */
    void backward(
            NDManager owner,
            Batch batch,
            List<Example> rows,
            HeadObjective objective,
            double share) {
        try (AdapterScope scope = role.enter()) {
            model.backwardFromHead(
                    batch.ids(),
                    batch.mask(),
                    AnswerTokens.predictors(owner, rows),
                    objective,
                    share);
        }
    }
}
