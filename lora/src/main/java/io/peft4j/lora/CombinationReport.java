package io.peft4j.lora;

import java.util.List;

/**
 * How well a combined adapter holds what was combined.
 *
 * @param sites one row per site, in model order
 */
public record CombinationReport(List<Row> sites) {

    /** Copies the list. */
    public CombinationReport {
        sites = List.copyOf(sites);
    }

    /**
     * One site.
     *
     * @param path the site's path
     * @param rank the rank of the combined update
     * @param error the Frobenius norm of what the rank cuts off, divided by that of the whole
     *     change; about 1e-7, by rounding, where the rank suffices
     */
    public record Row(String path, int rank, double error) {}

    /**
     * Returns the largest error over all sites.
     *
     * @return the error
     */
    public double largestError() {
        return sites.stream().mapToDouble(Row::error).max().orElse(0);
    }
}
