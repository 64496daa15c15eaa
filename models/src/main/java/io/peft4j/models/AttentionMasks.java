package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens each token of one pass may look at, in layers of different windows. A mask is made
 * when a layer first asks for it, and lives as long as the pass.
 */
final class AttentionMasks {

    private final NDManager owner;
    private final int columns;
    private final @Nullable NDArray tokens;
    private final String kernel;
    private final Map<Integer, NDArray> masks = new HashMap<>(); // by window, 0 for none

    private AttentionMasks(NDManager owner, int columns, @Nullable NDArray tokens) {
        this(owner, columns, tokens, "additive_mask");
    }

    private AttentionMasks(NDManager owner, int columns, @Nullable NDArray tokens, String kernel) {
        this.kernel = kernel;
        this.owner = owner;
        this.columns = columns;
        this.tokens = tokens;
    }

    /** Returns the masks of rows without padding on the left. */
    static AttentionMasks causal(NDManager owner, int columns) {
        return new AttentionMasks(owner, columns, null);
    }

    /**
     * Returns the masks of rows with padding.
     *
     * @param owner owns the masks
     * @param ids (B, S)
     * @param tokens (B, S), 1 for tokens and 0 for padding
     */
    static AttentionMasks padded(NDManager owner, NDArray ids, NDArray tokens) {
        long[] flags = TokenChecks.read("the attention mask", tokens);
        TokenChecks.requireShape("an attention mask", ids.getShape(), tokens.getShape());
        int columns = Math.toIntExact(ids.getShape().get(1));
        for (int i = 0; i < flags.length; i++) {
            if (i % columns != 0 && flags[i - 1] == 0 && flags[i] != 0) {
                return new AttentionMasks(owner, columns, tokens);
            }
        }
        return causal(owner, columns); // padding on the right is never looked at
    }

    /**
     * Returns the masks of one more token in each row, behind earlier ones that are cached.
     *
     * @param owner owns the masks
     * @param tokens (B, earlier + 1), 1 for tokens and 0 for padding
     */
    static AttentionMasks next(NDManager owner, NDArray tokens) {
        TokenChecks.read("the attention mask", tokens);
        return new AttentionMasks(
                owner, Math.toIntExact(tokens.getShape().get(1)), tokens, "next_mask");
    }

    /** Returns a mask that was made elsewhere, for layers of any window. */
    static AttentionMasks given(NDManager owner, NDArray mask) {
        AttentionMasks masks = new AttentionMasks(owner, 0, mask);
        masks.masks.put(0, mask); // a window is never below no columns
        return masks;
    }

    /**
     * Returns the mask of a layer, (B, S, S) or (1, S, S), or (B, 1, keys) for one more token,
     * added to its attention scores; null where each token sees itself and all tokens before it.
     */
    @Nullable NDArray of(OptionalInt window) {
        int width = window.isPresent() && window.getAsInt() < columns ? window.getAsInt() : 0;
        if (width == 0 && tokens == null) {
            return null;
        }
        return masks.computeIfAbsent(width, this::make);
    }

    private NDArray make(int width) {
        NDArray shown = tokens == null ? owner.ones(new Shape(1, columns)) : tokens;
        return Kernels.DECODER.call(owner, kernel, shown, Kernels.constant(width));
    }
}
