package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RowOrderTest {

    private static TrainingConfig.Builder config() {
        return TrainingConfig.builder().optBatchSize(2).optGradientAccumulation(2);
    }

    private static List<List<Integer>> steps(int rows, int steps, TrainingConfig config) {
        RowOrder order = new RowOrder(new int[rows], config);
        List<List<Integer>> taken = new ArrayList<>();
        for (int step = 0; step < steps; step++) {
            taken.add(IntStream.of(order.rows(step)).boxed().toList());
        }
        return taken;
    }

    @Test
    void countedStepsTakeTheNextRowsInFileOrderAndStartAgainAtTheEnd() {
        TrainingConfig config = config().optShuffle(false).optMaxSteps(4).build();
        assertThat(steps(6, 4, config))
                .containsExactly(
                        List.of(0, 1, 2, 3),
                        List.of(4, 5, 0, 1),
                        List.of(2, 3, 4, 5),
                        List.of(0, 1, 2, 3));
    }

    @Test
    void aStepMayTakeFewRowsMoreThanOnce() {
        TrainingConfig config = config().optShuffle(false).optMaxSteps(2).build();
        assertThat(steps(3, 2, config)).containsExactly(List.of(0, 1, 2, 0), List.of(1, 2, 0, 1));
    }

    @Test
    void theLastStepOfACountedEpochTakesWhatIsLeft() {
        TrainingConfig config = config().optShuffle(false).optEpochs(2).build();
        assertThat(RowOrder.totalSteps(6, config)).isEqualTo(4);
        assertThat(steps(6, 4, config))
                .containsExactly(
                        List.of(0, 1, 2, 3), List.of(4, 5), List.of(0, 1, 2, 3), List.of(4, 5));
    }

    @Test
    void aFractionOfAnEpochRoundsUpToWholeSteps() {
        assertThat(RowOrder.totalSteps(10, config().optEpochs(0.5).build())).isEqualTo(2);
        assertThat(RowOrder.totalSteps(10, config().optEpochs(1.5).build())).isEqualTo(5);
        assertThat(RowOrder.totalSteps(1, config().optEpochs(0.1).build())).isEqualTo(1);
    }

    @Test
    void everyShuffledEpochTakesEveryRowOnceInAnOrderOfItsOwn() {
        TrainingConfig config = config().optEpochs(2).build();
        List<Integer> all = steps(8, 4, config).stream().flatMap(List::stream).toList();
        assertThat(all.subList(0, 8)).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7);
        assertThat(all.subList(8, 16))
                .containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7)
                .isNotEqualTo(all.subList(0, 8));
    }

    @Test
    void theOrderDependsOnTheSeedAloneAndNotOnWhatWasAskedBefore() {
        TrainingConfig config = config().optMaxSteps(9).build();
        RowOrder late = new RowOrder(new int[7], config);
        List<Integer> eighth = IntStream.of(late.rows(8)).boxed().toList();
        assertThat(steps(7, 9, config).get(8)).isEqualTo(eighth);
        assertThat(steps(7, 9, config().optMaxSteps(9).optSeed(1).build()).get(8))
                .isNotEqualTo(eighth);
    }

    @Test
    void theFirstShuffleIsTheSameInEveryVersion() {
        // a checkpoint of today must be resumable by any later version
        TrainingConfig config = config().optMaxSteps(2).build();
        assertThat(steps(8, 2, config))
                .isEqualTo(List.of(List.of(7, 4, 3, 0), List.of(1, 2, 5, 6)));
    }

    @Test
    void groupedByLengthAnEpochStillTakesEveryRowOnceAndInAnOrderOfItsOwn() {
        int[] lengths = mixedLengths(203);
        RowOrder order =
                new RowOrder(lengths, config().optEpochs(2).optGroupByLength(true).build());
        List<List<Integer>> epochs = new ArrayList<>();
        for (int epoch = 0; epoch < 2; epoch++) {
            List<Integer> rows = new ArrayList<>();
            for (int step = 0; step < 51; step++) {
                IntStream.of(order.rows(51 * epoch + step)).forEach(rows::add);
            }
            assertThat(rows).hasSize(203).doesNotHaveDuplicates();
            epochs.add(rows);
        }
        assertThat(epochs.get(0)).isNotEqualTo(epochs.get(1));
    }

    @Test
    void groupedByLengthLessThanFivePercentIsPadding() {
        int[] lengths = mixedLengths(2000);
        TrainingConfig.Builder config = TrainingConfig.builder().optBatchSize(8).optEpochs(1);
        assertThat(padding(lengths, config.optGroupByLength(true).build())).isLessThan(0.05);
        assertThat(padding(lengths, config.optGroupByLength(false).build())).isGreaterThan(0.4);
    }

    @Test
    void theBatchOfTheLongestRowComesFirst() {
        int[] lengths = mixedLengths(500);
        lengths[321] = 100_000;
        TrainingConfig config =
                TrainingConfig.builder()
                        .optBatchSize(4)
                        .optEpochs(1)
                        .optGroupByLength(true)
                        .build();
        assertThat(new RowOrder(lengths, config).rows(0)).contains(321);
    }

    /** Lengths as texts have them: many short, few long. */
    private static int[] mixedLengths(int rows) {
        Random random = new Random(1);
        return IntStream.range(0, rows)
                .map(row -> 16 + (int) Math.min(1000, 80 * Math.exp(random.nextGaussian())))
                .toArray();
    }

    private static double padding(int[] lengths, TrainingConfig config) {
        RowOrder order = new RowOrder(lengths, config);
        long tokens = 0;
        long places = 0;
        for (int step = 0; step < RowOrder.totalSteps(lengths.length, config); step++) {
            int[] batch = IntStream.of(order.rows(step)).map(row -> lengths[row]).toArray();
            tokens += IntStream.of(batch).sum();
            places += (long) batch.length * IntStream.of(batch).max().orElseThrow();
        }
        return 1 - (double) tokens / places;
    }
}
