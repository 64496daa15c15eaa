package io.peft4j.tuning;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;

/**
 * Brings rows of about the same length into the same batch, so that little of a batch is padding:
 * transformers' sampling by length. A shuffled order is cut into stretches of many batches; each is
 * sorted by length, which leaves it to chance with which rows a row shares its batch; then whole
 * batches are shuffled, since losses of long and of short rows differ. The batch with the longest
 * row comes first: if memory does not suffice, it shows in the first step.
 */
final class LengthGroups {

    private static final int BATCHES = 100;

    private final int[] lengths;
    private final int batch;

    /**
     * Creates groups.
     *
     * @param lengths the tokens of each row
     * @param batch the rows that share a forward pass
     */
    LengthGroups(int[] lengths, int batch) {
        this.lengths = lengths.clone();
        this.batch = batch;
    }

    /** Rearranges an order of all rows. */
    int[] group(int[] order, SplittableRandom random) {
        // two stretches at least, or all epochs would have the same batches
        int stretch = Math.max(1, Math.min(order.length / (batch * 2), BATCHES)) * batch;
        Integer[] sorted = Arrays.stream(order).boxed().toArray(Integer[]::new);
        Comparator<Integer> longestFirst = Comparator.comparingInt(row -> -lengths[row]);
        for (int from = 0; from < sorted.length; from += stretch) {
            Arrays.sort(sorted, from, Math.min(from + stretch, sorted.length), longestFirst);
        }
        int[] batches = RowOrder.permutation(sorted.length / batch, random);
        bringLongestFirst(batches, sorted);
        int[] result = new int[sorted.length];
        for (int i = 0; i < result.length; i++) {
            int place = i / batch;
            // the rows that fill no batch stay at the end
            result[i] =
                    place < batches.length ? sorted[batches[place] * batch + i % batch] : sorted[i];
        }
        return result;
    }

    private void bringLongestFirst(int[] batches, Integer[] sorted) {
        int longest = 0;
        for (int i = 1; i < batches.length; i++) {
            if (lengths[sorted[batches[i] * batch]] > lengths[sorted[batches[longest] * batch]]) {
                longest = i;
            }
        }
        if (batches.length > 0) {
            int first = batches[0];
            batches[0] = batches[longest];
            batches[longest] = first;
        }
    }
}
