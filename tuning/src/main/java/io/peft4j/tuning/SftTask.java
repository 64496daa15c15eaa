package io.peft4j.tuning;

import ai.djl.ndarray.NDManager;
import ai.djl.util.Preconditions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Next tokens of texts. A step's loss is the mean over the labelled next tokens of all its rows.
 *
 * @param train the rows to train on, with one labelled next token at least
 * @param heldOut the rows to evaluate on; may be empty
 */
record SftTask(List<Example> train, List<Example> heldOut) implements TrainingTask {

    SftTask {
        Preconditions.checkArgument(
                train.stream().anyMatch(example -> example.labelled() > 0),
                "expected one labelled token to train on at least, found none");
    }

    @Override
    public String kind() {
        return "sft";
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
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("data_sha256", DataFingerprint.of(train));
        settings.put("held_out_sha256", DataFingerprint.of(heldOut));
        return settings;
    }

    @Override
    public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
        return new SftStep(model, Arrays.stream(rows).mapToObj(train::get).toList());
    }

    @Override
    public boolean hasHeldOut() {
        return !heldOut.isEmpty();
    }

    @Override
    public EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch) {
        return Evaluation.evaluate(model, heldOut, batchSize, beforeBatch);
    }

    private static final class SftStep implements Step, Update {

        private final LanguageModel model;
        private final List<Example> rows;
        private final long labelled;
        private double sum;

        SftStep(LanguageModel model, List<Example> rows) {
            this.model = model;
            this.rows = rows;
            labelled = rows.stream().mapToLong(Example::labelled).sum();
        }

        @Override
        public long tokens() {
            return rows.stream().mapToLong(Example::length).sum();
        }

        @Override
        public long labelled() {
            return labelled;
        }

        @Override
        public List<Update> updates() {
            return List.of(this);
        }

        @Override
        public int rows() {
            return rows.size();
        }

        @Override
        public void backward(int from, int to) {
            try (NDManager scope = model.manager().newSubManager();
                    Batch batch = Batch.of(scope, rows.subList(from, to))) {
                double[] losses =
                        model.backward(
                                batch.ids(), batch.mask(), batch.labels(), (double) labelled);
                sum += Arrays.stream(losses).sum();
            }
        }

        @Override
        public double loss() {
            return labelled == 0 ? 0 : sum / labelled;
        }
    }
}
