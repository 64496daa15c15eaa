package io.peft4j.tuning.reward;

import ai.djl.ndarray.NDManager;
import io.peft4j.torch.NoDropout;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TokensSeen;
import io.peft4j.tuning.TrainingTask;
import io.peft4j.tuning.preference.PairBatches;
import io.peft4j.tuning.preference.PreferencePair;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Preferences, learned by a reward model. A step's loss is the mean over its pairs. */
final class RewardTask implements TrainingTask {

    private final PairBatches train;
    private final PairBatches heldOut;
    private final RewardConfig config;
    private final TokensSeen tokens = new TokensSeen("reward_state.json");

    /**
     * Begins a task.
     *
     * @param train the pairs to train on
     * @param heldOut the pairs to evaluate on; may be empty
     * @param config the settings
     */
    RewardTask(PairBatches train, PairBatches heldOut, RewardConfig config) {
        this.train = train;
        this.heldOut = heldOut;
        this.config = config;
    }

    @Override
    public String kind() {
        return "reward";
    }

    @Override
    public int rows() {
        return train.size();
    }

    @Override
    public int length(int row) {
        return train.get(row).length();
    }

    @Override
    public int sequences() {
        return 2;
    }

    @Override
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>(config.settings());
        settings.put("data_sha256", train.fingerprint());
        settings.put("held_out_sha256", heldOut.fingerprint());
        return settings;
    }

    @Override
    public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
        RewardStep begun = new RewardStep(model, rows);
        tokens.begin(begun.tokens());
        return begun;
    }

    @Override
    public void afterStep(int done) {
        tokens.afterStep();
    }

    @Override
    public boolean hasHeldOut() {
        return heldOut.size() > 0;
    }

    @Override
    public EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch) {
        EvaluationResult.Row[] rows = new EvaluationResult.Row[heldOut.size()];
        RewardMetrics metrics = new RewardMetrics();
        for (int[] indexes : heldOut.longestFirst(batchSize)) {
            beforeBatch.run();
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = heldOut.batch(scope, indexes)) {
                RewardBatch loss = batchOf(heldOut, indexes, 1, metrics);
                float[] unused =
                        loss.slopes(
                                model.headScores(batch.ids(), LastTokens.of(scope, batch.mask())));
                for (int i = 0; i < indexes.length; i++) {
                    rows[indexes[i]] = new EvaluationResult.Row(loss.losses()[i], 1);
                }
            }
        }
        return new EvaluationResult(Arrays.asList(rows), metrics.values());
    }

    private RewardBatch batchOf(
            PairBatches pairs, int[] indexes, double divisor, RewardMetrics metrics) {
        List<PreferencePair> some = Arrays.stream(indexes).mapToObj(pairs::get).toList();
        return new RewardBatch(some, config, divisor, metrics);
    }

    @Override
    public void save(Path directory) throws IOException {
        tokens.save(directory);
    }

    @Override
    public void load(Path directory) throws IOException {
        tokens.load(directory);
    }

    private final class RewardStep implements Step, Update {

        private final LanguageModel model;
        private final int[] rows;
        private final RewardMetrics metrics = new RewardMetrics();

        RewardStep(LanguageModel model, int[] rows) {
            this.model = model;
            this.rows = rows;
        }

        @Override
        public long tokens() {
            return Arrays.stream(rows)
                    .mapToObj(train::get)
                    .mapToLong(pair -> (long) pair.chosen().length() + pair.rejected().length())
                    .sum();
        }

        @Override
        public long labelled() {
            return 2L * rows.length; // the last token of each
        }

        @Override
        public List<Update> updates() {
            return List.of(this);
        }

        @Override
        public int rows() {
            return rows.length;
        }

        @Override
        public void backward(int from, int to) {
            int[] indexes = Arrays.copyOfRange(rows, from, to);
            try (NoDropout off = NoDropout.begin();
                    NDManager scope = model.manager().newSubManager();
                    Batch batch = train.batch(scope, indexes)) {
                model.backwardFromHead(
                        batch.ids(),
                        batch.mask(),
                        LastTokens.of(scope, batch.mask()),
                        batchOf(train, indexes, rows.length, metrics),
                        0); // TRL leaves out the loss that keeps routers balanced
            }
        }

        @Override
        public double loss() {
            return metrics.loss();
        }

        @Override
        public Map<String, Double> metrics() {
            Map<String, Double> values = metrics.values();
            values.put(TokensSeen.METRIC, (double) tokens.count());
            return values;
        }
    }
}
