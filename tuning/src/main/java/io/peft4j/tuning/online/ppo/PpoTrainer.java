package io.peft4j.tuning.online.ppo;

import ai.djl.util.Preconditions;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.TaskTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import io.peft4j.tuning.online.RewardFunction;
import io.peft4j.tuning.online.RolloutSampler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Proximal policy optimisation of an adapter (Schulman et al., arXiv:1707.06347), as TRL's PPO has
 * it for language models.
 *
 * <pre>
 *   one frozen base ─┬─ policy     the active adapter: it answers, and is trained
 *                    ├─ reference  what the policy was: the base, or a frozen copy of the adapter
 *                    ├─ value      the adapter "value" with a score head: it is trained, too
 *                    └─ reward     a reward model's adapter, or any other {@link RewardFunction}
 * </pre>
 *
 * <p>All four share the base's weights, so that each costs the memory of an adapter. One after the
 * other they go through the model. One optimizer moves policy and value; both are in every
 * checkpoint. The result has the policy at its root and the value function in the directory {@code
 * value}. Nothing is dropped in training, whatever the adapters' dropout is, so that policy and old
 * policy differ by what was learned alone.
 *
 * <p>A row of the config is a prompt, which gets one answer: {@code batch size · gradient
 * accumulation} are a step's answers, of which advantages are whitened together. {@link
 * PpoConfig#epochs} times {@link PpoConfig#miniBatches} is how often the optimizer moves in it.
 *
 * <p>Files are those of {@link TaskTrainer}; {@code metrics.jsonl} has TRL's names.
 */
public final class PpoTrainer {

    private PpoTrainer() {}

    /**
     * Trains, or goes on with a training, until its steps are done or the patience is over.
     *
     * @param model the model, with a score head
     * @param tokenizer its tokenizer
     * @param policy the adapter to train, which is the active one
     * @param train the prompts to train on, one at least
     * @param heldOut the prompts to evaluate on; may be empty
     * @param rewards what judges the answers, one at least
     * @param ppo how to learn from them
     * @param config how to train
     * @param output the directory to write to; made if it does not exist
     * @param observers hear of the progress
     * @return how it ended
     * @throws IllegalArgumentException if a prompt with its answer does not fit the model's context
     * @throws IllegalStateException if the model has no adapter named {@code value}, see {@link
     *     ValueAdapter}, or has one named {@code reference}, or if {@code value} is what is active
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
            PpoConfig ppo,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        Preconditions.checkArgument(!train.isEmpty(), "expected one prompt at least, found none");
        RolloutSampler.Builder rollouts =
                rollouts(model, tokenizer, rewards, ppo, ppo.generation(), config);
        RolloutSampler others =
                rollouts(model, tokenizer, rewards, ppo, ppo.evalGeneration(), config).build();
        rollouts.build().requireAnswerable(train);
        others.requireAnswerable(heldOut);
        AdaptedModel adapted = policy.model();
        requireValue(adapted);
        requireOther(policy.adapter());
        try (Reference reference = Reference.of(adapted, ppo.sync())) {
            reference.announce(observers);
            RolloutSampler sampler =
                    rollouts.optScorePolicy(true).optReference(reference.role()).build();
            PpoTask task =
                    new PpoTask(
                            train,
                            heldOut,
                            ppo,
                            config,
                            new PpoTask.Source(sampler::sample, others::sample, sampler.settings()),
                            reference,
                            Role.adapter(adapted, ValueAdapter.NAME));
            return train(LanguageModel.of(model), policy, task, config, output, observers);
        }
    }

    /** Trains on a task, whose answers may come from elsewhere. */
    static TrainingResult train(
            LanguageModel model,
            AdapterTrainable policy,
            PpoTask task,
            TrainingConfig config,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        AdapterTrainable value = new AdapterTrainable(policy.model(), ValueAdapter.NAME);
        return TaskTrainer.train(
                model, new PolicyAndValue(policy, value), task, config, output, observers);
    }

    private static RolloutSampler.Builder rollouts(
            CausalLm model,
            Tokenizer tokenizer,
            List<Reward> rewards,
            PpoConfig ppo,
            GenerationConfig generation,
            TrainingConfig config) {
        return RolloutSampler.builder()
                .setSampler(new CompletionSampler(model, tokenizer, generation, config.batchSize()))
                .setRewards(rewards)
                .optBatchSize(config.batchSize())
                .optSeed(config.seed())
                .optMissingEosPenalty(ppo.missingEosPenalty().orElse(0));
    }

    private static void requireValue(AdaptedModel adapted) {
        if (!adapted.names().contains(ValueAdapter.NAME)) {
            throw new IllegalStateException(
                    "expected an adapter named \""
                            + ValueAdapter.NAME
                            + "\" beside the policy, found "
                            + adapted.names()
                            + "; add it with ValueAdapter");
        }
    }

    private static void requireOther(Adapter policy) {
        if (policy.name().equals(ValueAdapter.NAME)) {
            throw new IllegalStateException(
                    "expected another active adapter than \""
                            + ValueAdapter.NAME
                            + "\", the value function: activate the policy");
        }
    }
}
