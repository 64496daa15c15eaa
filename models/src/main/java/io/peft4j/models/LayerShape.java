package io.peft4j.models;

/**
 * The sizes in which one decoder layer may differ from the others.
 *
 * @param queryHeads the number of query heads, a multiple of the key-value heads
 * @param keyValueHeads the number of key heads and of value heads
 * @param ffnWidth the inner width of the feed-forward network
 */
public record LayerShape(int queryHeads, int keyValueHeads, int ffnWidth) {

    /**
     * Checks the sizes.
     *
     * @param queryHeads the number of query heads
     * @param keyValueHeads the number of key-value heads
     * @param ffnWidth the inner width
     */
    public LayerShape {
        if (queryHeads < 1 || keyValueHeads < 1 || queryHeads % keyValueHeads != 0) {
            throw new IllegalArgumentException(
                    "expected query heads that are a multiple of the key-value heads, found "
                            + queryHeads
                            + " and "
                            + keyValueHeads);
        }
        if (ffnWidth < 1) {
            throw new IllegalArgumentException(
                    "expected a feed-forward width from 1, found " + ffnWidth);
        }
    }

    /**
     * Returns the heads of the fused projection.
     *
     * @return query heads, key heads and value heads together
     */
    public int allHeads() {
        return queryHeads + 2 * keyValueHeads;
    }
}
