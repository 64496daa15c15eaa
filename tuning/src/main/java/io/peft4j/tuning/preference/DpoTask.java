package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.torch.NoDropout;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.EvaluationResult;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.Reference;
import io.peft4j.tuning.TokensSeen;
import io.peft4j.tuning.TrainingTask;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Preferences, learned by one of {@link LossType}. A step's loss is the mean over its pairs. */
final class DpoTask implements TrainingTask {

    private final PairBatches train;
    private final PairBatches heldOut;
    private final DpoConfig config;
    private final Reference reference;
    private final @Nullable LogProbabilities trainScores;
    private final @Nullable LogProbabilities heldOutScores;
    private final TokensSeen tokens = new TokensSeen("dpo_state.json");

    /**
     * Begins a task.
     *
     * @param train the pairs to train on
     * @param heldOut the pairs to evaluate on; may be empty
     * @param config the settings
     * @param reference what the policy is compared with
     * @param trainScores the reference's log-probabilities, if they were computed before
     * @param heldOutScores the same of the held-out pairs
     */
    DpoTask(
            PairBatches train,
            PairBatches heldOut,
            DpoConfig config,
            Reference reference,
            @Nullable LogProbabilities trainScores,
            @Nullable LogProbabilities heldOutScores) {
        this.train = train;
        this.heldOut = heldOut;
        this.config = config;
        this.reference = reference;
        this.trainScores = trainScores;
        this.heldOutScores = heldOutScores;
    }

    @Override
    public String kind() {
        return "dpo";
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
        settings.put("reference", reference.start());
        settings.put("data_sha256", train.fingerprint());
        settings.put("held_out_sha256", heldOut.fingerprint());
        return settings;
    }

    @Override
    public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
        DpoStep begun = new DpoStep(model, rows);
        tokens.begin(begun.tokens());
        return begun;
    }

    @Override
    public void afterStep(int done) {
        tokens.afterStep();
        reference.afterStep(done);
    }

    @Override
    public boolean hasHeldOut() {
        return heldOut.size() > 0;
    }

    @Override
    public EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch) {
        EvaluationResult.Row[] rows = new EvaluationResult.Row[heldOut.size()];
        DpoMetrics metrics = new DpoMetrics(config.beta());
        for (int[] indexes : heldOut.longestFirst(batchSize)) {
            beforeBatch.run();
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = heldOut.batch(scope, indexes)) {
                DpoBatch loss = batchOf(model, heldOut, heldOutScores, batch, indexes, 1, metrics);
                double[] unused = loss.see(model.tokenScores(batch.ids(), batch.labels()));
                for (int i = 0; i < indexes.length; i++) {
                    rows[indexes[i]] = new EvaluationResult.Row(loss.losses()[i], 1);
                }
            }
        }
        Map<String, Double> values = metrics.values();
        values.put(
                TokensSeen.METRIC, (double) tokens.count()); // those trained on so far, as in TRL
        return new EvaluationResult(Arrays.asList(rows), values);
    }

    /** Asks the reference of a batch, unless it was asked before. */
    private DpoBatch batchOf(
            LanguageModel model,
            PairBatches pairs,
            @Nullable LogProbabilities known,
            Batch batch,
            int[] indexes,
            double divisor,
            DpoMetrics metrics) {
        LogProbabilities said =
                known != null
                        ? known.of(indexes)
                        : ReferenceScores.of(model, reference.role(), batch);
        List<PreferencePair> some = Arrays.stream(indexes).mapToObj(pairs::get).toList();
        return new DpoBatch(some, said, config, divisor, metrics);
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

    private final class DpoStep implements Step, Update {

        private final LanguageModel model;
        private final int[] rows;
        private final DpoMetrics metrics = new DpoMetrics(config.beta());

        DpoStep(LanguageModel model, int[] rows) {
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
            return Arrays.stream(rows)
                    .mapToObj(train::get)
                    .mapToLong(pair -> (long) pair.chosen().labelled() + pair.rejected().labelled())
                    .sum();
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
                model.backward(
                        batch.ids(),
                        batch.mask(),
                        batch.labels(),
                        batchOf(model, train, trainScores, batch, indexes, rows.length, metrics),
                        (double) indexes.length / rows.length);
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
