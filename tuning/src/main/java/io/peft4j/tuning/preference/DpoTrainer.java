package io.peft4j.tuning.preference;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.TaskTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Direct preference optimisation of an adapter (Rafailov et al., arXiv:2305.18290), and the losses
 * akin to it, see {@link LossType}.
 *
 * <p>The reference is what the policy is when training begins: the base model alone if the adapter
 * is new, else a frozen copy of it, which is an adapter named {@code reference} on the same base
 * until training ends. Which one it is, is chosen here and logged. It never moves unless {@link
 * DpoConfig.Builder#optSync} says so. As in TRL nothing is dropped in training, whatever the
 * adapter's dropout is, so that policy and reference differ by what was learned alone.
 *
 * <p>Files are those of {@link TaskTrainer}; {@code metrics.jsonl} has TRL's names.
 */
public final class DpoTrainer {

    private DpoTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over. The
     * config's rows are pairs: each is two sequences in a batch.
     *
     * @param model the model, whose forward has the policy in it
     * @param policy the adapter to train
     * @param train the pairs to train on, one at least
     * @param heldOut the pairs to evaluate on; may be empty
     * @param dpo the loss and the reference
     * @param config how to train
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended
     * @throws IllegalStateException if the model has another adapter named {@code reference}
     * @throws InterruptedIOException if the thread is interrupted while the reference's
     *     log-probabilities are computed beforehand; the next run goes on with those that are known
     * @throws IOException and others, as {@link TaskTrainer#train}
     */
    public static TrainingResult train(
            LanguageModel model,
            AdapterTrainable policy,
            List<PreferencePair> train,
            List<PreferencePair> heldOut,
            DpoConfig dpo,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        try (Reference reference = Reference.of(policy.model(), dpo.sync())) {
            return train(model, policy, reference, train, heldOut, dpo, config, output, observers);
        }
    }

    /** Trains with a reference that stays the caller's. */
    static TrainingResult train(
            LanguageModel model,
            AdapterTrainable policy,
            Reference reference,
            List<PreferencePair> train,
            List<PreferencePair> heldOut,
            DpoConfig dpo,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        Preconditions.checkArgument(!train.isEmpty(), "expected one pair at least, found none");
        reference.announce(observers);
        PairBatches pairs = new PairBatches(train);
        PairBatches others = new PairBatches(heldOut);
        LogProbabilities scores = null;
        LogProbabilities otherScores = null;
        if (dpo.precomputeReferenceLogProbs()) {
            ReferenceCache cache =
                    new ReferenceCache(
                            dpo.referenceCache().orElse(output),
                            reference,
                            String.valueOf(policy.settings().get("base_dtype")));
            scores = cache.of(model, pairs, config.batchSize());
            otherScores = heldOut.isEmpty() ? null : cache.of(model, others, config.batchSize());
        }
        DpoTask task = new DpoTask(pairs, others, dpo, reference, scores, otherScores);
        return TaskTrainer.train(model, policy, task, config, output, observers);
    }
}
