package io.peft4j.tuning.online.ppo;

import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.Seeds;
import io.peft4j.tuning.TokensSeen;
import io.peft4j.tuning.TrainingConfig;
import io.peft4j.tuning.TrainingTask;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionScores;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Rollout;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Proximal policy optimisation. A row is a prompt; a step samples answers to its prompts, asks
 * policy, reference and value function of them once, and learns from them in epochs of
 * mini-batches. A step's loss is the mean of its updates'.
 */
final class PpoTask implements TrainingTask {

    private static final int OF_EVALUATIONS = -1; // stands for the step in their seed

    private final List<Prompt> train;
    private final List<Prompt> heldOut;
    private final PpoConfig config;
    private final TrainingConfig training;
    private final Source source;
    private final Reference reference;
    private final Role value;
    private final TokensSeen tokens = new TokensSeen("ppo_state.json");

    /** Gives the answers to a step's prompts. */
    @FunctionalInterface
    interface Rollouts {
        /**
         * Gives answers with rewards, and with what policy and reference say of them.
         *
         * @param model the model
         * @param step the steps done before
         * @param prompts what to ask
         * @param beforeBatch is run before each batch of what takes long
         */
        Rollout sample(LanguageModel model, int step, List<Prompt> prompts, Runnable beforeBatch);
    }

    /**
     * Where answers come from.
     *
     * @param train of the prompts to train on
     * @param heldOut of the others; policy and reference need not be asked
     * @param settings what decides them, which a resumed run must share
     */
    record Source(Rollouts train, Rollouts heldOut, Map<String, String> settings) {}

    /**
     * Begins a task.
     *
     * @param train the prompts to train on
     * @param heldOut the prompts to evaluate on; may be empty
     * @param config the settings of PPO
     * @param training those of the training
     * @param source gives the answers
     * @param reference what the policy is held to
     * @param value the value adapter
     */
    PpoTask(
            List<Prompt> train,
            List<Prompt> heldOut,
            PpoConfig config,
            TrainingConfig training,
            Source source,
            Reference reference,
            Role value) {
        this.train = List.copyOf(train);
        this.heldOut = List.copyOf(heldOut);
        this.config = config;
        this.training = training;
        this.source = source;
        this.reference = reference;
        this.value = value;
    }

    @Override
    public String kind() {
        return "ppo";
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
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>(config.settings());
        settings.putAll(source.settings());
        settings.put("reference", reference.start());
        settings.put("data_sha256", Prompt.fingerprint(train));
        settings.put("held_out_sha256", Prompt.fingerprint(heldOut));
        return settings;
    }

    @Override
    public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
        List<Prompt> prompts = Arrays.stream(rows).mapToObj(train::get).toList();
        Rollout rollout = source.train().sample(model, step, prompts, beforeBatch);
        List<Example> examples = rollout.completions().stream().map(Completion::example).toList();
        ValueFunction function = new ValueFunction(model, value);
        List<double[]> values = function.values(examples, training.batchSize(), beforeBatch);
        PpoExperience experience = new PpoExperience(scored(rollout, values), config);
        Map<String, Double> seen = new LinkedHashMap<>(rollout.metrics());
        PpoStep begun =
                new PpoStep(
                        function,
                        examples,
                        experience,
                        config,
                        config.generation().temperature(),
                        miniBatches(step, examples.size()),
                        seen);
        tokens.begin(rollout.tokens());
        seen.put(TokensSeen.METRIC, (double) tokens.count());
        return begun;
    }

    private static List<ScoredAnswer> scored(Rollout rollout, List<double[]> values) {
        CompletionScores policy = rollout.policy().orElseThrow();
        CompletionScores reference = rollout.reference().orElseThrow();
        double[] rewards = rollout.rewards();
        List<ScoredAnswer> answers = new ArrayList<>();
        for (int i = 0; i < rewards.length; i++) {
            answers.add(
                    new ScoredAnswer(
                            rewards[i],
                            rollout.completions().get(i).ended(),
                            doubles(policy.of(i)),
                            doubles(reference.of(i)),
                            values.get(i)));
        }
        return answers;
    }

    private static double[] doubles(float[] values) {
        return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
    }

    private List<int[]> miniBatches(int step, int answers) {
        List<int[]> all = new ArrayList<>();
        for (int epoch = 0; epoch < config.epochs(); epoch++) {
            all.addAll(MiniBatches.of(order(step, epoch, answers), config.miniBatches()));
        }
        return all;
    }

    /** Each epoch goes through the answers in an order of its own. */
    private int[] order(int step, int epoch, int answers) {
        if (!training.shuffle()) {
            return IntStream.range(0, answers).toArray();
        }
        return IntStream.range(0, answers)
                .boxed()
                .sorted(
                        Comparator.comparingLong(
                                answer -> Seeds.mix(training.seed(), step, epoch, answer)))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    @Override
    public void afterStep(int done) {
        tokens.afterStep();
        reference.afterStep(done);
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
        return source.heldOut().sample(model, OF_EVALUATIONS, heldOut, beforeBatch).evaluation();
    }

    @Override
    public void save(Path directory) throws IOException {
        reference.save(directory);
        tokens.save(directory);
    }

    @Override
    public void load(Path directory) throws IOException {
        reference.load(directory);
        tokens.load(directory);
    }
}
