package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;

/** What a reference says of pairs. */
final class ReferenceScores {

    private ReferenceScores() {}

    /** Computes the log-probabilities of a batch of pairs, all chosen answers first. */
    static LogProbabilities of(LanguageModel model, Role role, Batch batch) {
        try (AdapterScope scope = role.enter()) {
            double[] rows = model.rowLosses(batch.ids(), batch.labels());
            for (int i = 0; i < rows.length; i++) {
                rows[i] = -rows[i];
            }
            return LogProbabilities.ofRows(rows);
        }
    }

    /** Computes those of many pairs, batch by batch. */
    static LogProbabilities of(LanguageModel model, Role role, PairBatches pairs, int batchSize) {
        double[] chosen = new double[pairs.size()];
        double[] rejected = new double[pairs.size()];
        for (int[] indexes : pairs.longestFirst(batchSize)) {
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = pairs.batch(scope, indexes)) {
                LogProbabilities some = of(model, role, batch);
                for (int i = 0; i < indexes.length; i++) {
                    chosen[indexes[i]] = some.chosen()[i];
                    rejected[indexes[i]] = some.rejected()[i];
                }
            }
        }
        return new LogProbabilities(chosen, rejected);
    }
}
