package io.peft4j.tuning.online.group;

import ai.djl.ndarray.NDManager;
import io.peft4j.models.TokenScores;
import io.peft4j.torch.NoDropout;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TokensSeen;
import io.peft4j.tuning.TrainingTask;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Rollout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * One rollout, learned from once or several times. Advantages, and the weights of tokens, are those
 * of the whole step, so that gradients do not depend on how it is cut into micro-batches.
 */
final class GroupStep implements TrainingTask.Step {

    private final LanguageModel model;
    private final GroupConfig config;
    private final Rollout rollout;
    private final Advantages advantages;
    private final List<JudgedAnswer> answers = new ArrayList<>();
    private final List<Example> examples = new ArrayList<>();
    private final PolicyMetrics seen = new PolicyMetrics();
    private final List<Iteration> iterations;
    private final long tokensSeen;
    private final long labelled;

    GroupStep(LanguageModel model, GroupConfig config, Rollout rollout, long tokensSeen) {
        this.model = model;
        this.config = config;
        this.rollout = rollout;
        this.tokensSeen = tokensSeen;
        advantages = config.advantages(rollout);
        List<Completion> completions = rollout.completions();
        long learned = completions.stream().mapToLong(this::learned).sum();
        for (int i = 0; i < completions.size(); i++) {
            Completion one = completions.get(i);
            int row = i;
            answers.add(
                    new JudgedAnswer(
                            advantages.of(i),
                            config.weight(learned(one), completions.size(), learned),
                            rollout.reference().map(scores -> scores.of(row)).orElse(null)));
            examples.add(config.isLearned(one) ? one.example() : one.example().unlabelled());
        }
        boolean nothing = advantages.areZero() && !config.learnsFromEqualRewards();
        labelled = nothing ? 0 : learned;
        iterations =
                IntStream.range(0, config.numIterations()).mapToObj(i -> new Iteration()).toList();
    }

    private int learned(Completion one) {
        return config.isLearned(one) ? one.ids().length : 0;
    }

    @Override
    public long tokens() {
        return rollout.tokens();
    }

    @Override
    public long labelled() {
        return labelled;
    }

    /** That all rewards are equal happens, and {@code frac_reward_zero_std} tells of it. */
    @Override
    public Optional<String> warning() {
        return rollout.completions().stream().anyMatch(config::isLearned)
                ? Optional.empty()
                : Optional.of(
                        "no answer ended within "
                                + config.generation().maxNewTokens()
                                + " tokens, and those that were cut are not learned from");
    }

    @Override
    public List<TrainingTask.Update> updates() {
        return List.copyOf(iterations);
    }

    @Override
    public double loss() {
        return iterations.stream()
                .filter(one -> one.begun)
                .mapToDouble(one -> one.loss)
                .average()
                .orElse(0);
    }

    @Override
    public Map<String, Double> metrics() {
        Map<String, Double> values = new LinkedHashMap<>(rollout.metrics());
        values.put("frac_reward_zero_std", advantages.alike());
        values.putAll(config.metrics(rollout));
        values.putAll(seen.values());
        values.put(TokensSeen.METRIC, (double) tokensSeen);
        return values;
    }

    /** Goes through all answers once. */
    private final class Iteration implements TrainingTask.Update {

        private double loss;
        private boolean begun;

        @Override
        public int rows() {
            return answers.size() / rollout.each();
        }

        @Override
        public void backward(int from, int to) {
            begun = true;
            int first = from * rollout.each();
            int end = to * rollout.each();
            GroupObjective objective =
                    new GroupObjective(
                            answers.subList(first, end),
                            config.loss(),
                            config.generation().temperature(),
                            seen);
            try (NoDropout off = NoDropout.begin();
                    NDManager scope = model.manager().newSubManager();
                    Batch batch = Batch.of(scope, examples.subList(first, end))) {
                TokenScores unused =
                        model.backward(
                                batch.ids(),
                                batch.mask(),
                                batch.labels(),
                                objective,
                                (double) (to - from) / rows());
            }
            loss += objective.sum();
        }
    }
}
