package io.peft4j.models;

import java.util.OptionalInt;

/**
 * The sizes in which one decoder layer may differ from the others.
 *
 * @param queryHeads the number of query heads, a multiple of the key-value heads
 * @param keyValueHeads the number of key heads and of value heads
 * @param ffnWidth the inner width of the feed-forward network, or of each expert
 * @param window how many tokens a token sees, itself among them; empty if it sees all before it
 */
public record LayerShape(int queryHeads, int keyValueHeads, int ffnWidth, OptionalInt window) {

    /**
     * Checks the sizes.
     *
     * @param queryHeads the number of query heads
     * @param keyValueHeads the number of key-value heads
     * @param ffnWidth the inner width
     * @param window the tokens that a token sees
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
        if (window.isPresent() && window.getAsInt() < 1) {
            throw new IllegalArgumentException(
                    "expected an attention window from 1, found " + window.getAsInt());
        }
    }

    /**
     * Describes a layer whose tokens see all tokens before them.
     *
     * @param queryHeads the number of query heads
     * @param keyValueHeads the number of key-value heads
     * @param ffnWidth the inner width
     */
    public LayerShape(int queryHeads, int keyValueHeads, int ffnWidth) {
        this(queryHeads, keyValueHeads, ffnWidth, OptionalInt.empty());
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
