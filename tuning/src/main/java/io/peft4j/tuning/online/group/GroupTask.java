package io.peft4j.tuning.online.group;

import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.TokensSeen;
import io.peft4j.tuning.TrainingTask;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Rollout;
import io.peft4j.tuning.online.RolloutSampler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Prompts that a policy answers, and learns from how its answers compare: GRPO and RLOO. */
final class GroupTask implements TrainingTask {

    private static final int OF_EVALUATIONS = -1; // stands for the step in their seed

    private final GroupConfig config;
    private final List<Prompt> train;
    private final List<Prompt> heldOut;
    private final RolloutSampler rollouts;
    private final RolloutSampler evaluations;
    private final @Nullable Reference reference;
    private final TokensSeen tokens = new TokensSeen("online_state.json");

    /**
     * Begins a task.
     *
     * @param config the settings
     * @param train the prompts to learn from
     * @param heldOut the prompts to evaluate on; may be empty
     * @param rollouts answers prompts to learn from
     * @param evaluations answers held-out prompts
     * @param reference what the policy is compared with; null if it is with nothing
     */
    GroupTask(
            GroupConfig config,
            List<Prompt> train,
            List<Prompt> heldOut,
            RolloutSampler rollouts,
            RolloutSampler evaluations,
            @Nullable Reference reference) {
        this.config = config;
        this.train = List.copyOf(train);
        this.heldOut = List.copyOf(heldOut);
        this.rollouts = rollouts;
        this.evaluations = evaluations;
        this.reference = reference;
    }

    @Override
    public String kind() {
        return config.kind();
    }

    @Override
    public int rows() {
        return train.size();
    }

    @Override
    public int length(int row) {
        return train.get(row).ids().length + config.generation().maxNewTokens();
    }

    @Override
    public int sequences() {
        return config.numGenerations();
    }

    @Override
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>(config.settings());
        settings.putAll(rollouts.settings());
        settings.put("reference", reference == null ? "none" : reference.start());
        settings.put("data_sha256", Prompt.fingerprint(train));
        settings.put("held_out_sha256", Prompt.fingerprint(heldOut));
        return settings;
    }

    @Override
    public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
        List<Prompt> prompts = Arrays.stream(rows).mapToObj(train::get).toList();
        Rollout rollout = rollouts.sample(model, step, prompts, beforeBatch);
        tokens.begin(rollout.tokens());
        return new GroupStep(model, config, rollout, tokens.count());
    }

    @Override
    public void afterStep(int done) {
        tokens.afterStep();
        if (reference != null) {
            reference.afterStep(done);
        }
    }

    @Override
    public boolean hasHeldOut() {
        return !heldOut.isEmpty();
    }

    @Override
    public boolean isLossNegatedReward() {
        return true;
    }

    @Override
    public EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch) {
        return evaluations.sample(model, OF_EVALUATIONS, heldOut, beforeBatch).evaluation();
    }

    @Override
    public void save(Path directory) throws IOException {
        tokens.save(directory);
        if (reference != null) {
            reference.save(directory);
        }
    }

    @Override
    public void load(Path directory) throws IOException {
        tokens.load(directory);
        if (reference != null) {
            reference.load(directory);
        }
    }
}
