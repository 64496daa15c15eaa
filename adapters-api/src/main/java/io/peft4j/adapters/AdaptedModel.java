package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A model with an adapter on it.
 *
 * <p>The base block stays the caller's and is used as before: while the adapter is in effect, its
 * forward is the adapted one. Closing this object takes the adapter off and frees it.
 */
public final class AdaptedModel implements AutoCloseable {

    private final Block base;
    private final AdapterConfig config;
    private final List<Attachment> attachments;
    private final AtomicInteger disabled = new AtomicInteger();
    private volatile boolean merged;
    private volatile boolean closed;

    private AdaptedModel(Block base, AdapterConfig config, List<Attachment> attachments) {
        this.base = base;
        this.config = config;
        this.attachments = attachments;
    }

    static AdaptedModel attach(
            Block base, AdapterConfig config, Map<Site, AdaptableLinear> chosen, long seed) {
        List<Attachment> attachments = new ArrayList<>();
        AdaptedModel model = new AdaptedModel(base, config, attachments);
        try (GradMode off = GradMode.disabled()) {
            chosen.forEach((site, linear) -> attachments.add(model.create(site, linear, seed)));
        } catch (RuntimeException e) {
            attachments.forEach(a -> a.state().close());
            throw e;
        }
        base.freezeParameters(true);
        attachments.forEach(a -> a.linear().attach(new AdapterSlot(a.state(), model::isInEffect)));
        return model;
    }

    private Attachment create(Site site, AdaptableLinear linear, long seed) {
        NDArray weight = linear.weight().getArray();
        NDManager owner = weight.getManager();
        long siteSeed = 31 * seed + site.path().hashCode(); // String.hashCode is specified
        return new Attachment(site, linear, config.create(site, weight, owner, siteSeed));
    }

    /**
     * Returns the adapter's settings.
     *
     * @return the config
     */
    public AdapterConfig config() {
        return config;
    }

    /**
     * Returns the base block, whose forward is the adapted one while the adapter is in effect.
     *
     * @return the block that the adapter was attached to
     */
    public Block block() {
        return base;
    }

    /**
     * Returns the adapter's parameters.
     *
     * @return the parameters by PEFT's key, such as {@code
     *     base_model.model.transformer.layers.0.attn.qkv_proj.lora_A.weight}, in model order
     */
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        for (Attachment attachment : attachments) {
            attachment
                    .state()
                    .parameters()
                    .forEach(
                            (key, parameter) ->
                                    parameters.put(
                                            AdapterFiles.key(attachment.site(), key), parameter));
        }
        return Collections.unmodifiableMap(parameters);
    }

    /**
     * Saves the adapter alone, in PEFT's directory format. A kill or a full disk at any moment
     * leaves the old files or the new ones.
     *
     * @param directory the directory; made if it does not exist
     * @throws IOException if it cannot be written; what was there is kept
     */
    public void save(Path directory) throws IOException {
        requireOpen();
        AdapterFiles.save(directory, config.toPeft(), parameters());
    }

    /**
     * Loads saved tensors into this adapter; each must be there, and nothing else.
     *
     * @param directory a directory in PEFT's format
     * @throws AdapterMismatchException if tensors are missing, unexpected or misshaped; it lists
     *     all of them, and nothing has changed
     * @throws IOException if the files cannot be read
     */
    public void load(Path directory) throws IOException {
        requireLoadable();
        AdapterFiles.load(directory, parameters(), true);
    }

    /**
     * Loads the saved tensors that fit; parameters without one keep their values.
     *
     * @param directory a directory in PEFT's format
     * @return what was missing and what was not used
     * @throws AdapterMismatchException if a tensor has another shape; nothing has changed then
     * @throws IOException if the files cannot be read
     */
    public LoadReport loadLeniently(Path directory) throws IOException {
        requireLoadable();
        return AdapterFiles.load(directory, parameters(), false);
    }

    /**
     * Counts what the adapter adds.
     *
     * @return totals and a row per site
     */
    public AdapterSummary summary() {
        List<AdapterSummary.Row> rows = new ArrayList<>();
        long trainable = 0;
        for (Attachment attachment : attachments) {
            long count = 0;
            for (Parameter parameter : attachment.state().parameters().values()) {
                count += parameter.getShape().size();
            }
            trainable += count;
            rows.add(
                    new AdapterSummary.Row(
                            attachment.site(),
                            count,
                            attachment.state().rank(),
                            attachment.state().scaling(),
                            attachment.linear().weight().getArray().getDataType().toString()));
        }
        long all = 0;
        for (Parameter parameter : base.getParameters().values()) {
            all += parameter.getShape().size();
        }
        return new AdapterSummary(config.method(), trainable, all, rows);
    }

    /**
     * Turns the adapter off in a scope: the model is the base model until the scope is closed.
     * Scopes nest.
     *
     * @return the scope
     * @throws IllegalStateException if the adapter is merged, so that the base weights are not the
     *     base model's
     */
    public Scope disableAdapter() {
        requireOpen();
        if (merged) {
            throw new IllegalStateException(
                    "the adapter is merged into the weights; unmerge before disabling it");
        }
        disabled.incrementAndGet();
        return new Scope(disabled);
    }

    /**
     * Tells whether the weights hold the adapter.
     *
     * @return whether {@link #merge} is in force
     */
    public boolean isMerged() {
        return merged;
    }

    /**
     * Writes the effective weights over the base weights. Delta and sum are computed in float32 and
     * rounded once. The original weights are kept for {@link #unmerge}. Merging twice does nothing
     * the second time.
     *
     * @return what changed
     * @throws NonFiniteMergeException if an effective weight is infinite or not a number; nothing
     *     has changed then
     */
    public MergeReport merge() {
        requireOpen();
        if (merged) {
            return new MergeReport(List.of());
        }
        List<MergeReport.SiteChange> changes = new ArrayList<>();
        List<Attachment> done = new ArrayList<>();
        try (GradMode off = GradMode.disabled()) {
            for (Attachment attachment : attachments) {
                changes.add(attachment.merge());
                done.add(attachment);
            }
        } catch (RuntimeException e) {
            done.forEach(Attachment::unmerge);
            throw e;
        }
        merged = true;
        return new MergeReport(changes);
    }

    /** Puts the original weights back, bit for bit. Does nothing if the adapter is not merged. */
    public void unmerge() {
        requireOpen();
        if (merged) {
            try (GradMode off = GradMode.disabled()) {
                attachments.forEach(Attachment::unmerge);
            }
            merged = false;
        }
    }

    /**
     * Takes the adapter off, back to the base model, and frees it. The base stays frozen. A second
     * call does nothing.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        unmerge();
        closed = true;
        for (Attachment attachment : attachments) {
            attachment.linear().detach();
            attachment.state().close();
        }
    }

    /** The adapter's states, in model order. */
    List<Attachment> attachments() {
        return attachments;
    }

    private boolean isInEffect() {
        return !merged && disabled.get() == 0;
    }

    private void requireLoadable() {
        requireOpen();
        if (merged) {
            throw new IllegalStateException(
                    "the adapter is merged; unmerge before loading another");
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this adapter was closed");
        }
    }

    /** A scope in which the adapter is off. */
    public static final class Scope implements AutoCloseable {

        private final AtomicInteger depth;
        private boolean open = true;

        private Scope(AtomicInteger depth) {
            this.depth = depth;
        }

        /** Ends the scope; a second call does nothing. */
        @Override
        public void close() {
            if (open) {
                open = false;
                depth.decrementAndGet();
            }
        }
    }
}
