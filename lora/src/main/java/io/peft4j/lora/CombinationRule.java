package io.peft4j.lora;

/**
 * How several changes of a weight become one. Each Δ is an adapter's change of the weight, W' − W
 * (out, in), and w its weight in the combination.
 */
public enum CombinationRule {
    /** \(\sum w \Delta\). */
    SUM,

    /**
     * \(\sum w \Delta\) of the elements that are largest by magnitude in each Δ; the density is the
     * share that is kept.
     */
    MAGNITUDE_PRUNE,

    /**
     * TIES: of each Δ the largest elements by magnitude are kept; a sign is elected for each
     * position; the mean of w Δ over the adapters that have the elected sign (Yadav et al.,
     * arXiv:2306.01708).
     */
    TIES,

    /**
     * DARE: elements of each Δ are dropped at random and the rest divided by the density; then
     * \(\sum w \Delta\) (Yu et al., arXiv:2311.03099).
     */
    DARE,

    /** DARE's random dropping, then TIES' election and mean. */
    DARE_TIES;

    boolean prunes() {
        return this != SUM;
    }

    boolean draws() {
        return this == DARE || this == DARE_TIES;
    }

    boolean elects() {
        return this == TIES || this == DARE_TIES;
    }
}
