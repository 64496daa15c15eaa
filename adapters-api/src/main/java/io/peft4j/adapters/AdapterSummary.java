package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.torch.BFloat16;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What the active adapters add to a model.
 *
 * @param trainable the number of their parameters
 * @param all the number of all parameters, the base's and theirs
 * @param sites one row per adapter and weight, in model order
 * @param keptBytes the size of the copies of base weights that a merge keeps for unmerge
 */
public record AdapterSummary(long trainable, long all, List<Row> sites, long keptBytes) {

    /** Copies the list. */
    public AdapterSummary {
        sites = List.copyOf(sites);
    }

    /**
     * One adapter at one weight.
     *
     * @param adapter the adapter's name
     * @param site the site
     * @param parameters the adapter's parameters here
     * @param rank the rank, if the method has one
     * @param scaling the factor of the update, if the method has one
     * @param dataType the type of the base weight
     */
    public record Row(
            String adapter,
            Site site,
            long parameters,
            OptionalInt rank,
            OptionalDouble scaling,
            String dataType) {}

    /** Counts adapters on a base model. */
    static AdapterSummary of(Block base, List<Adapter> active, long keptBytes) {
        List<Row> rows = new ArrayList<>();
        long all = 0;
        for (Parameter parameter : base.getParameters().values()) {
            all += parameter.getShape().size();
        }
        long trainable = 0;
        for (Adapter adapter : active) {
            for (Parameter parameter : adapter.shared().values()) {
                long size = parameter.getShape().size();
                all += adapter.isTrainable(parameter) ? 0 : size;
                trainable += adapter.isTrainable(parameter) ? size : 0;
            }
            for (Attachment attachment : adapter.attachments()) {
                if (attachment.state() instanceof BiasChange) {
                    continue; // a part of the row before
                }
                trainable += attachment.size();
                rows.add(
                        new Row(
                                adapter.name(),
                                attachment.weight().site(),
                                attachment.size(),
                                attachment.state().rank(),
                                attachment.state().scaling(),
                                typeName(attachment.weight().array())));
            }
        }
        return new AdapterSummary(trainable, all + trainable, rows, keptBytes);
    }

    private static String typeName(NDArray weight) {
        return BFloat16.isBFloat16(weight) ? "bfloat16" : weight.getDataType().toString();
    }

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
        if (keptBytes > 0) {
            text.append(
                    String.format(
                            Locale.ROOT,
                            "kept for unmerge: %,d bytes of base weights%n",
                            keptBytes));
        }
        return text.toString();
    }
}
