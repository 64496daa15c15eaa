package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Whether the base's weights are its own or hold adapters. Whoever merges or unmerges holds the
 * monitor of the model's {@link NamedAdapters}, so that nobody chooses adapters meanwhile.
 */
final class MergedWeights {

    private final Block base;
    private final Activations activations;
    private volatile @Nullable Merge merge;

    /**
     * Begins with the base's own weights.
     *
     * @param base the model
     * @param activations which adapters are in effect
     */
    MergedWeights(Block base, Activations activations) {
        this.base = base;
        this.activations = activations;
    }

    boolean areMerged() {
        return merge != null;
    }

    /** Bytes of the originals that are kept. */
    long keptBytes() {
        Merge merged = merge;
        return merged == null ? 0 : merged.keptBytes();
    }

    /** The fingerprint of the base's own weights, merged or not. */
    String fingerprint() {
        Merge merged = merge;
        return BaseFingerprint.of(
                new BaseModel(base), merged == null ? Parameter::getArray : merged::originalOf);
    }

    /** Merges what is in effect and keeps the originals, unless they hold adapters already. */
    MergeReport merge() {
        if (merge != null) {
            return new MergeReport(List.of());
        }
        requireNoScope("merging");
        Merge done = Merge.keeping(activations.everywhere(), new BaseModel(base));
        done.active().adapters().forEach(adapter -> adapter.setMerged(true));
        merge = done;
        return done.report();
    }

    /** Merges what is in effect into the base's own weights and keeps nothing. */
    MergeReport mergeForGood() {
        requireNoScope("merging for good");
        return Merge.forGood(activations.everywhere(), new BaseModel(base));
    }

    /** Puts the originals back, if there are any. */
    void unmerge() {
        Merge done = merge;
        if (done != null) {
            done.undo();
            done.active().adapters().forEach(adapter -> adapter.setMerged(false));
            merge = null;
        }
    }

    void requireUnmerged(String what) {
        if (merge != null) {
            throw new IllegalStateException(
                    what
                            + " while adapters "
                            + activations.current().adapters().stream().map(Adapter::name).toList()
                            + " are merged into the weights; unmerge first");
        }
    }

    private void requireNoScope(String what) {
        int open = activations.openScopes();
        if (open > 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%s while %d scopes of adapters are open, here or in other threads;"
                                    + " close them, then activate and merge",
                            what,
                            open));
        }
    }
}
