package io.peft4j.tuning.online.ppo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** In what parts the epochs of a step go through its answers. */
final class MiniBatches {

    private MiniBatches() {}

    /**
     * Cuts an epoch's order into parts of as like sizes as can be.
     *
     * @param order the answers
     * @param parts how many parts; of fewer answers, one each
     * @return the parts, in order
     */
    static List<int[]> of(int[] order, int parts) {
        int count = Math.min(parts, order.length);
        List<int[]> cut = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long from = (long) i * order.length / count;
            long to = (long) (i + 1) * order.length / count;
            cut.add(Arrays.copyOfRange(order, (int) from, (int) to));
        }
        return cut;
    }
}
