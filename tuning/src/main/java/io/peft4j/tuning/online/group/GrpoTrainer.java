package io.peft4j.tuning.online.group;

import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.TaskTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Group relative policy optimisation of an adapter (Shao et al., arXiv:2402.03300), as TRL 1.13 has
 * it: a prompt is answered several times, an answer's advantage is how much its reward is above the
 * mean of the group, in standard deviations, and each token moves by \(-\min(\rho A,
 * \mathrm{clip}(\rho, 1 - \epsilon, 1 + \epsilon') A) + \beta\, KL\).
 *
 * <p>Nothing is dropped in training, whatever the adapter's dropout is, so that the ratio is 1
 * until the policy has moved. The reference is what the policy is when training begins, see {@link
 * io.peft4j.tuning.Reference}; without β there is none. A step in which the answers to each prompt
 * are as good as each other moves nothing but by the KL term.
 *
 * <p>Files are those of {@link TaskTrainer}; {@code metrics.jsonl} has TRL's names.
 */
public final class GrpoTrainer {

    private GrpoTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over. The
     * config's rows are prompts: each is as many sequences in a batch as it has answers.
     *
     * @param model the model with the policy in it; it samples and is trained
     * @param tokenizer its tokenizer
     * @param policy the adapter to train
     * @param train the prompts to learn from, one at least
     * @param heldOut the prompts to evaluate on; may be empty
     * @param rewards what answers are judged by, each of a name of its own
     * @param grpo the loss and the sampling
     * @param config how to train
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended; its losses of held-out prompts are mean rewards with the sign turned
     * @throws IllegalArgumentException if a prompt with its answer does not fit the model's context
     * @throws IllegalStateException if the model has another adapter named {@code reference}
     * @throws RewardException if a reward is not a finite number, or a judge refuses a prompt
     * @throws IOException and others, as {@link TaskTrainer#train}
     */
    public static TrainingResult train(
            CausalLm model,
            Tokenizer tokenizer,
            AdapterTrainable policy,
            List<Prompt> train,
            List<Prompt> heldOut,
            List<Reward> rewards,
            GrpoConfig grpo,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        return new GroupTraining(model, tokenizer, rewards, grpo, config)
                .run(policy, train, heldOut, output, observers);
    }
}
