package io.peft4j.tuning.online.group;

import ai.djl.util.Preconditions;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.Tokenizer;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.TaskTrainer;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingResult;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RolloutSampler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Puts together what GRPO and RLOO train with.
 *
 * @param model the model with the policy in it
 * @param tokenizer its tokenizer
 * @param rewards the judges
 * @param group the settings
 * @param config how to train
 */
record GroupTraining(
        CausalLm model,
        Tokenizer tokenizer,
        List<Reward> rewards,
        GroupConfig group,
        TrainingConfig config) {

    TrainingResult run(
            AdapterTrainable policy,
            List<Prompt> train,
            List<Prompt> heldOut,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        Preconditions.checkArgument(!train.isEmpty(), "expected one prompt at least, found none");
        rollouts(group.generation()).build().requireAnswerable(train);
        rollouts(group.evalGeneration()).build().requireAnswerable(heldOut);
        if (group.beta() == 0) {
            return run(policy, train, heldOut, null, output, observers);
        }
        try (Reference reference = Reference.of(policy.model(), group.referenceSync())) {
            reference.announce(observers);
            return run(policy, train, heldOut, reference, output, observers);
        }
    }

    private TrainingResult run(
            AdapterTrainable policy,
            List<Prompt> train,
            List<Prompt> heldOut,
            @Nullable Reference reference,
            Path output,
            TrainingObserver... observers)
            throws IOException {
        RolloutSampler.Builder rollouts =
                rollouts(group.generation())
                        .optNumGenerations(group.numGenerations())
                        .optScorePolicy(group.comparesBefore());
        if (reference != null) {
            rollouts.optReference(reference.role());
        }
        GroupTask task =
                new GroupTask(
                        group,
                        train,
                        heldOut,
                        rollouts.build(),
                        rollouts(group.evalGeneration()).build(),
                        reference);
        return TaskTrainer.train(LanguageModel.of(model), policy, task, config, output, observers);
    }

    private RolloutSampler.Builder rollouts(GenerationConfig generation) {
        int together = config.batchSize() * group.numGenerations();
        return RolloutSampler.builder()
                .setSampler(new CompletionSampler(model, tokenizer, generation, together))
                .setRewards(rewards)
                .optBatchSize(together)
                .optSeed(config.seed());
    }
}
