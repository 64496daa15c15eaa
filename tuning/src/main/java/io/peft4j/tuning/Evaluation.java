package io.peft4j.tuning;

import ai.djl.ndarray.NDManager;
import ai.djl.util.Preconditions;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Measures a model on held-out examples, with the adapter if one is on, without dropout.
 *
 * <p>Batches are made of rows of like length, so that little is padded, and the longest come first,
 * so that what does not fit into memory fails at once.
 */
public final class Evaluation {

    private Evaluation() {}

    /**
     * Evaluates a model.
     *
     * @param model the model
     * @param examples the held-out rows, with one labelled next token at least
     * @param batchSize how many rows go through the model together
     * @return the losses, in the order of the examples
     */
    public static EvaluationResult evaluate(
            LanguageModel model, List<Example> examples, int batchSize) {
        return evaluate(model, examples, batchSize, () -> {});
    }

    /** As the other, with something to do before each batch, such as to stop. */
    static EvaluationResult evaluate(
            LanguageModel model, List<Example> examples, int batchSize, Runnable beforeBatch) {
        Preconditions.checkArgument(batchSize > 0, "batch size must be positive: " + batchSize);
        Preconditions.checkArgument(
                examples.stream().anyMatch(example -> example.labelled() > 0),
                "expected one labelled token to evaluate at least, found none");
        List<Integer> order =
                IntStream.range(0, examples.size())
                        .boxed()
                        .sorted(Comparator.comparingInt(i -> -examples.get(i).length()))
                        .collect(Collectors.toList());
        EvaluationResult.Row[] rows = new EvaluationResult.Row[examples.size()];
        for (int start = 0; start < order.size(); start += batchSize) {
            beforeBatch.run();
            List<Integer> chosen = order.subList(start, Math.min(start + batchSize, order.size()));
            double[] sums = losses(model, chosen.stream().map(examples::get).toList());
            for (int i = 0; i < sums.length; i++) {
                int row = chosen.get(i);
                rows[row] = new EvaluationResult.Row(sums[i], examples.get(row).labelled());
            }
        }
        return new EvaluationResult(Arrays.asList(rows));
    }

    private static double[] losses(LanguageModel model, List<Example> examples) {
        try (NDManager scope = model.manager().newSubManager();
                Batch batch = Batch.of(scope, examples)) {
            return model.rowLosses(batch.ids(), batch.labels());
        }
    }
}
