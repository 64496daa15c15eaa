package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a comparison supports saying. A variant is best if with each of its seeds it has a smaller
 * held-out loss than every other variant with any seed, of three seeds each at least: were two
 * variants the same, three seeds of one would all be below three of the other once in twenty times.
 * Anything less is said to be no more than what was seen.
 *
 * @param best the variant that is told apart from all others
 * @param lowest the variant of the lowest mean
 * @param text all of it, as sentences
 */
public record Verdict(
        Optional<VariantResult> best, Optional<VariantResult> lowest, List<String> text) {

    static final int SEEDS = 3;

    /**
     * Judges a comparison.
     *
     * @param comparison the comparison
     * @return the verdict
     */
    public static Verdict of(Comparison comparison) {
        List<VariantResult> rows =
                comparison.variants().stream()
                        .sorted(Comparator.comparingDouble(row -> row.lossAfter().mean()))
                        .toList();
        if (rows.isEmpty()) {
            return new Verdict(Optional.empty(), Optional.empty(), List.of("No run has a result."));
        }
        VariantResult lowest = rows.get(0);
        List<VariantResult> others = rows.subList(1, rows.size());
        List<String> text = new ArrayList<>();
        text.add(describe(lowest));
        if (others.isEmpty()) {
            return new Verdict(Optional.empty(), Optional.of(lowest), text);
        }
        if (rows.stream().anyMatch(row -> row.lossAfter().count() < SEEDS)) {
            text.add(
                    "No row is marked as the best: with fewer than three seeds each, chance may"
                            + " have made the order. --seeds 1,2,3 shows the spread.");
            return new Verdict(Optional.empty(), Optional.of(lowest), text);
        }
        List<String> near =
                others.stream()
                        .filter(row -> !lowest.lossAfter().isBelow(row.lossAfter()))
                        .map(VariantResult::label)
                        .toList();
        if (near.isEmpty()) {
            text.add(
                    "It is the best of these: with each of its seeds its loss is below that of"
                            + " every other row with any seed.");
            return new Verdict(Optional.of(lowest), Optional.of(lowest), text);
        }
        text.add(
                "No row is marked as the best: the range of "
                        + lowest.label()
                        + " over the seeds overlaps with that of "
                        + String.join(", ", near)
                        + ".");
        return new Verdict(Optional.empty(), Optional.of(lowest), text);
    }

    private static String describe(VariantResult row) {
        Spread after = row.lossAfter();
        String loss =
                after.count() == 1
                        ? String.format(Locale.ROOT, "held-out loss: %.4f", after.mean())
                        : String.format(
                                Locale.ROOT,
                                "mean held-out loss: %.4f over %d seeds (standard deviation %.4f,"
                                        + " from %.4f to %.4f)",
                                after.mean(),
                                after.count(),
                                after.deviation().orElse(0),
                                after.lowest(),
                                after.highest());
        return String.format(
                Locale.ROOT,
                "%s has the lowest %s, from %.4f before training, with %,d trained parameters.",
                row.label(),
                loss,
                row.lossBefore(),
                row.trainable());
    }
}
