package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Role;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.Locale;

/** What a reference says of pairs. */
final class ReferenceScores {

    /** After so many batches what is known is kept: a kill costs them and no more. */
    static final int KEEP_EVERY = 50;

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

    /**
     * Computes those of many pairs that are not known yet, batch by batch, and keeps them from time
     * to time.
     *
     * @throws InterruptedIOException if the thread is interrupted; what was computed is kept
     */
    static void complete(
            UnfinishedScores scores,
            LanguageModel model,
            Role role,
            PairBatches pairs,
            int batchSize)
            throws IOException {
        int computed = 0;
        for (int[] indexes : pairs.longestFirst(batchSize)) {
            if (scores.knowsAll(indexes)) {
                continue;
            }
            endIfInterrupted(scores);
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = pairs.batch(scope, indexes)) {
                scores.put(indexes, of(model, role, batch));
            }
            if (++computed % KEEP_EVERY == 0) {
                scores.keep();
            }
        }
        endIfInterrupted(scores); // what comes next writes files, which an interrupt would close
    }

    private static void endIfInterrupted(UnfinishedScores scores) throws IOException {
        if (Thread.currentThread().isInterrupted()) {
            scores.keep();
            throw new InterruptedIOException(
                    String.format(
                            Locale.ROOT,
                            "interrupted when the reference's log-probabilities of %d of %d pairs"
                                    + " were known; they are kept",
                            scores.count(),
                            scores.pairs()));
        }
    }
}
