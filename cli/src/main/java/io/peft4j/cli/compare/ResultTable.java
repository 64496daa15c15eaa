package io.peft4j.cli.compare;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A comparison as cells for a terminal: a row per variant. What does not vary has no column, and
 * with one seed there is no spread.
 *
 * @param columns the heads
 * @param rows the cells under them
 */
public record ResultTable(List<String> columns, List<List<String>> rows) {

    /**
     * Lays out a comparison.
     *
     * @param comparison the comparison
     * @return the table
     */
    public static ResultTable of(Comparison comparison) {
        Axes axes = comparison.axes();
        List<VariantResult> variants = comparison.variants();
        boolean spread = variants.stream().anyMatch(row -> row.lossAfter().count() > 1);
        Optional<VariantResult> best = Verdict.of(comparison).best();
        List<String> columns = new ArrayList<>(List.of("method", "rank"));
        if (axes.learningRate()) {
            columns.add("learning rate");
        }
        if (axes.targets()) {
            columns.add("targets");
        }
        columns.addAll(List.of("trainable", "loss before"));
        columns.addAll(
                spread
                        ? List.of("seeds", "mean loss after", "std dev", "lowest", "highest")
                        : List.of("loss after"));
        columns.addAll(List.of("seconds", "tokens/s", "peak MB", "merged vs not"));
        if (best.isPresent()) {
            columns.add("");
        }
        List<List<String>> rows = new ArrayList<>();
        for (VariantResult variant : variants) {
            List<String> row = cells(variant, axes, spread);
            best.ifPresent(winner -> row.add(winner.equals(variant) ? "best" : ""));
            rows.add(row);
        }
        return new ResultTable(columns, rows);
    }

    private static List<String> cells(VariantResult row, Axes axes, boolean spread) {
        Variant variant = row.variant();
        List<String> cells = new ArrayList<>(List.of(variant.method(), variant.rankOrDash()));
        if (axes.learningRate()) {
            cells.add(Variant.number(variant.learningRate()));
        }
        if (axes.targets()) {
            cells.add(variant.rank().isPresent() ? variant.targetsOrDefault() : "–");
        }
        cells.add(count(row.trainable()));
        cells.add(loss(row.lossBefore()));
        Spread after = row.lossAfter();
        if (spread) {
            cells.add(Integer.toString(after.count()));
        }
        cells.add(loss(after.mean()));
        if (spread) {
            cells.add(after.deviation().isPresent() ? loss(after.deviation().getAsDouble()) : "–");
            cells.add(loss(after.lowest()));
            cells.add(loss(after.highest()));
        }
        cells.add(seconds(row));
        cells.add(speed(row));
        cells.add(memory(row));
        cells.add(merge(row));
        return cells;
    }

    static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    static String loss(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    /** The mean of the seeds. */
    static String seconds(VariantResult row) {
        return String.format(Locale.ROOT, "%,.1f", row.spread(RunResult::trainSeconds).mean());
    }

    /** The mean of the seeds. */
    static String speed(VariantResult row) {
        return String.format(Locale.ROOT, "%,.0f", row.spread(RunResult::tokensPerSecond).mean());
    }

    /** The largest of the seeds. */
    static String memory(VariantResult row) {
        return String.format(Locale.ROOT, "%,.0f", row.peakMemoryMb())
                + (row.peakMemoryEstimated() ? " ~" : "");
    }

    static String merge(VariantResult row) {
        return row.mergeDifference().isPresent()
                ? String.format(Locale.ROOT, "%.1e", row.mergeDifference().getAsDouble())
                : "–";
    }
}
