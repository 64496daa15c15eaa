package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDManager;
import io.peft4j.tuning.Interruptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log-probabilities that are not all computed yet, with a file that keeps those that are, so that a
 * computation that was interrupted or killed can go on. In arrays and file, NaN is a pair that is
 * not known.
 */
final class UnfinishedScores {

    private static final Logger LOG = LoggerFactory.getLogger(DpoTrainer.class);

    private final NDManager owner;
    private final Path file;
    private final LogProbabilities scores;

    private UnfinishedScores(NDManager owner, Path file, LogProbabilities scores) {
        this.owner = owner;
        this.file = file;
        this.scores = scores;
    }

    /** Takes what a file keeps of so many pairs, or begins anew. */
    static UnfinishedScores open(NDManager owner, Path file, int pairs) {
        if (Files.exists(file)) {
            try {
                LogProbabilities kept = ScoresFile.read(owner, file, pairs);
                UnfinishedScores opened = new UnfinishedScores(owner, file, kept);
                LOG.info("{} of {} pairs were computed before", opened.count(), pairs);
                return opened;
            } catch (IOException e) {
                LOG.warn("passing over a damaged file: {}", e.getMessage());
            }
        }
        double[] unknown = new double[pairs];
        Arrays.fill(unknown, Double.NaN);
        return new UnfinishedScores(owner, file, new LogProbabilities(unknown, unknown.clone()));
    }

    /** Counts the pairs. */
    int pairs() {
        return scores.chosen().length;
    }

    /** Counts the pairs that are known. */
    long count() {
        return IntStream.range(0, pairs()).filter(this::knows).count();
    }

    /** Tells whether all of some pairs are known. */
    boolean knowsAll(int[] indexes) {
        return Arrays.stream(indexes).allMatch(this::knows);
    }

    private boolean knows(int index) {
        return !Double.isNaN(scores.chosen()[index]) && !Double.isNaN(scores.rejected()[index]);
    }

    void put(int[] indexes, LogProbabilities some) {
        for (int i = 0; i < indexes.length; i++) {
            scores.chosen()[indexes[i]] = some.chosen()[i];
            scores.rejected()[indexes[i]] = some.rejected()[i];
        }
    }

    /** Writes the file, also while the thread is interrupted. */
    void keep() throws IOException {
        Interruptions.hold(
                () -> {
                    Files.createDirectories(file.toAbsolutePath().getParent());
                    LogProbabilities unused = ScoresFile.write(owner, file, scores);
                });
    }

    /** Writes all to a file of their own, and removes this one. */
    LogProbabilities finish(Path target) throws IOException {
        LogProbabilities[] written = {scores};
        Interruptions.hold(
                () -> {
                    Files.createDirectories(target.toAbsolutePath().getParent());
                    written[0] = ScoresFile.write(owner, target, scores);
                    Files.deleteIfExists(file);
                });
        return written[0];
    }
}
