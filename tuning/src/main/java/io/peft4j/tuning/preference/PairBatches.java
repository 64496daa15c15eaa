package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.DataFingerprint;
import io.peft4j.tuning.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Pairs, and how they go through a model: all chosen answers of a batch, then all rejected ones.
 *
 * @param pairs the pairs
 */
record PairBatches(List<PreferencePair> pairs) {

    PairBatches {
        pairs = List.copyOf(pairs);
    }

    int size() {
        return pairs.size();
    }

    PreferencePair get(int index) {
        return pairs.get(index);
    }

    /** Makes a batch of some pairs. */
    Batch batch(NDManager owner, int[] indexes) {
        List<Example> rows = new ArrayList<>(2 * indexes.length);
        Arrays.stream(indexes).forEach(i -> rows.add(get(i).chosen()));
        Arrays.stream(indexes).forEach(i -> rows.add(get(i).rejected()));
        return Batch.of(owner, rows);
    }

    /**
     * Cuts all pairs into batches of like length, the longest first, so that what does not fit into
     * memory fails at once.
     */
    List<int[]> longestFirst(int batchSize) {
        int[] order =
                IntStream.range(0, size())
                        .boxed()
                        .sorted(Comparator.comparingInt(i -> -get(i).length()))
                        .mapToInt(i -> i)
                        .toArray();
        List<int[]> batches = new ArrayList<>();
        for (int from = 0; from < order.length; from += batchSize) {
            batches.add(Arrays.copyOfRange(order, from, Math.min(from + batchSize, order.length)));
        }
        return batches;
    }

    String fingerprint() {
        return DataFingerprint.of(
                pairs.stream().flatMap(p -> Stream.of(p.chosen(), p.rejected())).toList());
    }
}
