package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the stages of one pass share, as their kernels take it. */
final class LayerPass implements AutoCloseable {

    private static final TorchValue YES = TorchValue.of(true);
    private static final TorchValue NO = TorchValue.of(false);
    static final TorchValue NONE = TorchValue.of(List.<NDArray>of());

    /** A mask of a window, for a number of key-value heads. */
    private record MaskKey(int heads, int window) {}

    private final NDManager owner;
    private final TextModule kernels;
    private final AttentionMasks masks;
    private final @Nullable KeyValueCache cache;
    private final long tokens;
    private final TorchValue table;
    private final @Nullable NDArray routed;
    private @Nullable TorchValue sentTokens;
    private @Nullable RouterBalance balance;
    private @Nullable TorchValue spare;
    private long spareWidth;
    private @Nullable TorchValue activations;
    private final Map<MaskKey, TorchValue> folded = new HashMap<>();
    private final Map<LayerShape, TorchValue> dims = new HashMap<>();

    /**
     * Begins a pass.
     *
     * @param owner owns what is made for it
     * @param kernels the stages' kernels
     * @param ids the shape (B, S) of the tokens
     * @param read what the tokens say
     * @param cache the keys and values of earlier tokens; null for none
     */
    LayerPass(
            NDManager owner,
            TextModule kernels,
            Shape ids,
            Decoder.Tokens read,
            @Nullable KeyValueCache cache) {
        this.owner = owner;
        this.kernels = kernels;
        masks = read.masks();
        routed = read.routed();
        this.cache = cache;
        this.table = TorchValue.of(read.table());
        tokens = ids.size();
    }

    static TorchValue flag(boolean on) {
        return on ? YES : NO;
    }

    NDManager owner() {
        return owner;
    }

    TextModule kernels() {
        return kernels;
    }

    /** Returns the number of tokens, B S. */
    long tokens() {
        return tokens;
    }

    TorchValue table() {
        return table;
    }

    /** Returns the mask of a layer, as a list of one, or of none. */
    TorchValue mask(LayerShape layer) {
        NDArray mask = masks.of(layer.window());
        if (mask == null) {
            return NONE;
        }
        int heads = layer.keyValueHeads();
        return folded.computeIfAbsent(
                new MaskKey(heads, layer.window().orElse(0)),
                key -> {
                    try (TorchValue whole = TorchValue.of(mask);
                            TorchValue count = TorchValue.ofLongs(heads)) {
                        return kernels.infer("folded_mask", whole, count);
                    }
                });
    }

    /** Returns the buffers of a layer's keys and values, none if none are kept. */
    TorchValue cache(int layer) {
        return cache == null ? NONE : cache.layer(layer).buffers();
    }

    /** Returns the whole numbers of an attention. */
    TorchValue dims(LayerStage.AttentionShape shape) {
        return dims.computeIfAbsent(
                shape.layer(),
                layer ->
                        TorchValue.ofLongs(
                                layer.keyValueHeads(),
                                shape.headDim(),
                                cache == null ? 0 : cache.length(),
                                layer.window().orElse(0)));
    }

    /** Returns which tokens are sent to experts, as a list of one, or of none if all are. */
    TorchValue sentTokens() {
        NDArray flags = routed;
        if (flags == null) {
            return NONE;
        }
        TorchValue sent = sentTokens;
        if (sent == null) {
            try (TorchValue tokens = TorchValue.of(flags)) {
                sent = kernels.infer("real_tokens", tokens);
            }
            sentTokens = sent;
        }
        return sent;
    }

    /**
     * Returns memory for what a layer makes on the way, as a list of one: were it taken and freed
     * in each, what is kept of the next would be put there, and leave holes.
     *
     * @param h is of the same type
     * @param width how many elements it has for a token, at least
     */
    TorchValue spare(TorchValue h, long width) {
        TorchValue known = spare;
        if (known != null && spareWidth >= width) {
            return known;
        }
        freeSpare();
        try (TorchValue size = TorchValue.ofLongs(tokens * width)) {
            TorchValue made = kernels.infer("spare", h, size);
            spare = made;
            spareWidth = width;
            return made;
        }
    }

    /** Frees that memory, when all layers are computed. */
    void freeSpare() {
        if (spare != null) {
            spare.close();
            spare = null;
        }
    }

    /** Has what layers keep for backward moved to memory of its own; null for not any more. */
    void keepIn(ActivationMemory.@Nullable Use memory) {
        activations = memory == null ? null : memory.memory();
    }

    /**
     * Moves what backward will need to such memory, if there is any.
     *
     * @param made a list of tensors, which is closed
     * @return the list to keep instead
     */
    TorchValue kept(TorchValue made) {
        return kept("all_moved", made);
    }

    /** Does the same with a tensor that is kept alone. */
    TorchValue keptAlone(TorchValue made) {
        return kept("moved", made);
    }

    private TorchValue kept(String kernel, TorchValue made) {
        if (activations == null) {
            return made;
        }
        try (made) {
            return kernels.infer(kernel, made, activations);
        }
    }

    /** Has the loss that keeps routers balanced take part in backward. */
    void balanceRouters(RouterBalance count) {
        balance = count;
    }

    /** Returns what counts for that loss; null if it takes no part. */
    @Nullable RouterBalance balance() {
        return balance;
    }

    @Override
    public void close() {
        table.close();
        freeSpare();
        if (sentTokens != null) {
            sentTokens.close();
        }
        folded.values().forEach(TorchValue::close);
        dims.values().forEach(TorchValue::close);
    }
}
