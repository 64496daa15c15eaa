package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.files.Sha256;
import io.peft4j.tuning.Batch;
import io.peft4j.tuning.DataFingerprint;
import io.peft4j.tuning.Example;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
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
public record PairBatches(List<PreferencePair> pairs) {

    /** Copies the pairs. */
    public PairBatches {
        pairs = List.copyOf(pairs);
    }

    /**
     * Counts the pairs.
     *
     * @return their number
     */
    public int size() {
        return pairs.size();
    }

    /**
     * Returns a pair.
     *
     * @param index from 0
     * @return the pair
     */
    public PreferencePair get(int index) {
        return pairs.get(index);
    }

    /**
     * Makes a batch of some pairs.
     *
     * @param owner the manager of the tensors
     * @param indexes which pairs (n)
     * @return 2 n rows: the chosen answers in this order, then the rejected ones; close it
     */
    public Batch batch(NDManager owner, int[] indexes) {
        List<Example> rows = new ArrayList<>(2 * indexes.length);
        Arrays.stream(indexes).forEach(i -> rows.add(get(i).chosen()));
        Arrays.stream(indexes).forEach(i -> rows.add(get(i).rejected()));
        return Batch.of(owner, rows);
    }

    /**
     * Cuts all pairs into batches of like length, the longest first, so that what does not fit into
     * memory fails at once.
     *
     * @param batchSize the pairs of a batch
     * @return the indexes of each batch
     */
    public List<int[]> longestFirst(int batchSize) {
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

    /**
     * Identifies what is learned from.
     *
     * @return 64 hexadecimal digits, of the tokens and labels and of the margins, if there are any
     */
    public String fingerprint() {
        String tokens =
                DataFingerprint.of(
                        pairs.stream().flatMap(p -> Stream.of(p.chosen(), p.rejected())).toList());
        double[] margins = pairs.stream().mapToDouble(PreferencePair::margin).toArray();
        if (Arrays.stream(margins).allMatch(margin -> margin == 0)) {
            return tokens;
        }
        MessageDigest digest = Sha256.digest();
        digest.update((tokens + Arrays.toString(margins)).getBytes(StandardCharsets.UTF_8));
        return Sha256.hex(digest);
    }
}
