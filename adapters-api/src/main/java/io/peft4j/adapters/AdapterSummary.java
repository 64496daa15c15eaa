package io.peft4j.adapters;

import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What an adapter adds to a model.
 *
 * @param method the adapter method
 * @param trainable the number of trainable parameters
 * @param all the number of all parameters, base and adapter
 * @param sites one row per adapted site, in model order
 */
public record AdapterSummary(String method, long trainable, long all, List<Row> sites) {

    /** Copies the list. */
    public AdapterSummary {
        sites = List.copyOf(sites);
    }

    /**
     * One adapted site.
     *
     * @param site the site
     * @param parameters the adapter's parameters here
     * @param rank the rank, if the method has one
     * @param scaling the factor of the update, if the method has one
     * @param dataType the type of the base weight
     */
    public record Row(
            Site site,
            long parameters,
            OptionalInt rank,
            OptionalDouble scaling,
            String dataType) {}

    /**
     * Returns the trainable share.
     *
     * @return trainable / all, in percent
     */
    public double percent() {
        return all == 0 ? 0 : 100.0 * trainable / all;
    }

    /**
     * Formats the summary: PEFT's line of totals, then a row per site.
     *
     * @return several lines of text
     */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(
                String.format(
                        Locale.ROOT,
                        "trainable params: %,d || all params: %,d || trainable%%: %.4f%n",
                        trainable,
                        all,
                        percent()));
        int width = sites.stream().mapToInt(r -> r.site().path().length()).max().orElse(4);
        String format = "%-" + Math.max(width, 4) + "s  %14s  %5s  %8s  %9s  %s%n";
        text.append(
                String.format(
                        Locale.ROOT,
                        format,
                        "site",
                        "(out, in)",
                        "rank",
                        "scaling",
                        "params",
                        "base"));
        for (Row row : sites) {
            text.append(
                    String.format(
                            Locale.ROOT,
                            format,
                            row.site().path(),
                            "(" + row.site().outFeatures() + ", " + row.site().inFeatures() + ")",
                            row.rank().isPresent() ? row.rank().getAsInt() : "-",
                            row.scaling().isPresent()
                                    ? String.format(
                                            Locale.ROOT, "%.4g", row.scaling().getAsDouble())
                                    : "-",
                            row.parameters(),
                            row.dataType()));
        }
        return text.toString();
    }
}
