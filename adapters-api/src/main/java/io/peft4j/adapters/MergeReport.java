package io.peft4j.adapters;

import java.util.List;

/**
 * What a merge changed.
 *
 * @param sites one entry per merged weight, in model order
 */
public record MergeReport(List<SiteChange> sites) {

    /** Copies the list. */
    public MergeReport {
        sites = List.copyOf(sites);
    }

    /**
     * The change of one weight.
     *
     * @param path the site
     * @param largest the largest absolute change of one element
     * @param relative the Frobenius norm of the change divided by that of the weight; 1 if the
     *     weight was zero
     */
    public record SiteChange(String path, double largest, double relative) {}

    /**
     * Returns the largest absolute change over all weights.
     *
     * @return the change, 0 if nothing was merged
     */
    public double largest() {
        return sites.stream().mapToDouble(SiteChange::largest).max().orElse(0);
    }

    /**
     * Returns the largest relative change over all weights.
     *
     * @return the change, 0 if nothing was merged
     */
    public double relative() {
        return sites.stream().mapToDouble(SiteChange::relative).max().orElse(0);
    }
}
