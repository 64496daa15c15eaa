package io.peft4j.tuning;

import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Which rows an optimizer step takes: a function of the step alone, so that a resumed run goes on
 * where the other stopped.
 *
 * <p>Every epoch goes through all rows once, in file order or in an order of its own. When epochs
 * are counted, an epoch's last step takes the rows that are left, as in transformers. When steps
 * are counted, every step takes its full number of rows, and the next epoch begins within a step.
 */
final class RowOrder {

    private final int rows;
    private final int rowsPerStep;
    private final boolean wholeEpochs;
    private final boolean shuffle;
    private final long seed;
    private final @Nullable LengthGroups groups;
    private long cachedEpoch = -1;
    private int[] cached = {};

    /**
     * Creates an order.
     *
     * @param lengths the tokens of each row
     * @param config the settings
     */
    RowOrder(int[] lengths, TrainingConfig config) {
        rows = lengths.length;
        groups = config.groupByLength() ? new LengthGroups(lengths, config.batchSize()) : null;
        rowsPerStep = config.batchSize() * config.gradientAccumulation();
        wholeEpochs = config.maxSteps().isEmpty();
        shuffle = config.shuffle();
        seed = config.seed();
    }

    /** Returns how many steps the config asks for. */
    static int totalSteps(int rows, TrainingConfig config) {
        int rowsPerStep = config.batchSize() * config.gradientAccumulation();
        double steps = Math.ceil(config.epochs() * Math.ceil((double) rows / rowsPerStep));
        return config.maxSteps().orElse((int) Math.max(1, Math.min(steps, Integer.MAX_VALUE)));
    }

    /** Returns the indexes of a step's rows; steps count from 0. */
    int[] rows(int step) {
        long first = first(step);
        int[] chosen = new int[(int) (first(step + 1) - first)];
        for (int i = 0; i < chosen.length; i++) {
            long position = first + i;
            chosen[i] = epochOrder(position / rows)[(int) (position % rows)];
        }
        return chosen;
    }

    /** Returns how many rows all steps before this one take. */
    long first(int step) {
        if (!wholeEpochs) {
            return (long) step * rowsPerStep;
        }
        int stepsPerEpoch = (rows + rowsPerStep - 1) / rowsPerStep;
        return (long) (step / stepsPerEpoch) * rows + (long) (step % stepsPerEpoch) * rowsPerStep;
    }

    /** Returns how often all rows were taken before a step. */
    double epochs(int step) {
        return (double) first(step) / rows;
    }

    private int[] epochOrder(long epoch) {
        if (epoch != cachedEpoch) {
            SplittableRandom random = new SplittableRandom(Seeds.mix(seed, epoch));
            int[] order = shuffle ? permutation(rows, random) : IntStream.range(0, rows).toArray();
            cached = groups == null ? order : groups.group(order, random);
            cachedEpoch = epoch;
        }
        return cached;
    }

    /** Fisher and Yates; of the generator only nextLong is used, whose algorithm is fixed. */
    static int[] permutation(int length, SplittableRandom random) {
        int[] order = IntStream.range(0, length).toArray();
        for (int i = order.length - 1; i > 0; i--) {
            int j = (int) Long.remainderUnsigned(random.nextLong(), i + 1L);
            int kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        return order;
    }
}
