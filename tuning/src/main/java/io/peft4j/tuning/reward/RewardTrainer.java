package io.peft4j.tuning.reward;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TaskTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.preference.PairBatches;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Trains a reward model: an adapter with a score head of its own, whose score of a text's last
 * token is to be greater for the better of two answers. The loss of a pair is \(-\log σ(r_c - r_r -
 * m)\), Bradley and Terry's, with the margin m of its row, 0 if it has none.
 *
 * <p>The model needs a score head ({@link io.peft4j.models.CausalLm#addScoreHead}), and the adapter
 * {@link RewardHead#MODULES_TO_SAVE} among its {@code modules_to_save}. As in TRL nothing is
 * dropped in training, whatever the adapter's dropout is.
 *
 * <p>Files are those of {@link TaskTrainer}; {@code metrics.jsonl} has TRL's names. The result is
 * what PEFT saves of a sequence classification model with one label.
 */
public final class RewardTrainer {

    private RewardTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over. The
     * config's rows are pairs: each is two sequences in a batch.
     *
     * @param model the model with a score head, whose forward has the adapter in it
     * @param reward the adapter to train
     * @param train the pairs to train on, one at least, as {@link RewardDataset} reads them
     * @param heldOut the pairs to evaluate on; may be empty
     * @param loss the loss
     * @param config how to train
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended
     * @throws IllegalArgumentException if the adapter has no score head of its own
     * @throws IOException and others, as {@link TaskTrainer#train}
     */
    public static TrainingResult train(
            LanguageModel model,
            AdapterTrainable reward,
            List<PreferencePair> train,
            List<PreferencePair> heldOut,
            RewardConfig loss,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        Preconditions.checkArgument(!train.isEmpty(), "expected one pair at least, found none");
        Preconditions.checkArgument(
                RewardHead.isOf(reward.model().adapter()),
                "expected an adapter with \"score\" among its modules_to_save, the head that gives"
                        + " the rewards; found one that trains none");
        RewardTask task = new RewardTask(new PairBatches(train), new PairBatches(heldOut), loss);
        return TaskTrainer.train(model, reward, task, config, output, observers);
    }
}
