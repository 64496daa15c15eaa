package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.torch.GradMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/** A named adapter of an {@link AdaptedModel}: its settings, its parameters and its files. */
public final class Adapter {

    private final String name;
    private final AdapterConfig config;
    private final NDManager owner;
    private final Map<String, Parameter> shared;
    private final List<Attachment> attachments;

    /** Parameters that are no matter of gradients, such as running statistics. */
    private final Set<Parameter> fixed;

    private final ProvenanceLog provenance;
    private final Block base;

    /** The model's own hold on the adapter, and one for each scope or forward that uses it. */
    private final AtomicInteger holds = new AtomicInteger(1);

    private volatile boolean deleted;
    private volatile boolean merged;
    private volatile boolean reached;

    Adapter(
            String name,
            AdapterConfig config,
            NDManager owner,
            Map<String, Parameter> shared,
            List<Attachment> attachments,
            ProvenanceLog provenance,
            Block base) {
        this.name = name;
        this.config = config;
        this.owner = owner;
        this.shared = shared;
        this.attachments = List.copyOf(attachments);
        fixed =
                parameters().values().stream()
                        .filter(p -> !p.requiresGradient())
                        .collect(Collectors.toUnmodifiableSet());
        this.provenance = provenance;
        this.base = base;
    }

    /**
     * Returns the name that the adapter was added under.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * Returns the settings.
     *
     * @return the config
     */
    public AdapterConfig config() {
        return config;
    }

    /**
     * Returns the parameters.
     *
     * @return the parameters by PEFT's key, such as {@code
     *     base_model.model.transformer.layers.0.attn.qkv_proj.lora_A.weight}, in model order
     */
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> parameters = new LinkedHashMap<>(shared);
        attachments.forEach(attachment -> parameters.putAll(attachment.parameters()));
        return Collections.unmodifiableMap(parameters);
    }

    /**
     * Returns the states, for methods that work on whole adapters, such as combinations.
     *
     * @return the state by the path of its site, in model order
     */
    public Map<String, AdapterState> states() {
        Map<String, AdapterState> states = new LinkedHashMap<>();
        for (Attachment attachment : attachments) {
            if (!(attachment.state() instanceof BiasChange)) {
                states.put(attachment.path(), attachment.state());
            }
        }
        return Collections.unmodifiableMap(states);
    }

    /**
     * Computes the adapter's change of one weight, W' − W.
     *
     * @param owner the manager of the result
     * @param path the path of a site of this adapter
     * @return the change as a matrix (out, in), float32
     * @throws IllegalArgumentException if the adapter has no such site
     * @throws IllegalStateException if the adapter is merged, so that W is not there
     */
    public NDArray delta(NDManager owner, String path) {
        try (Hold use = inUse()) {
            requireUnmerged("computing its change of a weight");
            return change(owner, path);
        }
    }

    private NDArray change(NDManager owner, String path) {
        Attachment attachment =
                attachments.stream()
                        .filter(a -> a.path().equals(path))
                        .findFirst()
                        .orElseThrow(
                                () ->
                                        new IllegalArgumentException(
                                                "adapter " + name + " has no site " + path));
        try (GradMode off = GradMode.disabled();
                NDManager scope = owner.newSubManager()) {
            NDArray weight = attachment.weight().float32Matrix(scope);
            ParameterStore store = new ParameterStore(scope, false);
            NDArray effective = attachment.state().effectiveWeight(weight, store, false);
            // what replaces a parameter has the parameter's own shape
            NDArray change = effective.reshape(weight.getShape()).sub(weight);
            change.attach(owner);
            return change;
        }
    }

    /**
     * Saves this adapter alone, in PEFT's directory format, with its provenance. A kill or a full
     * disk at any moment leaves the old files or the new ones.
     *
     * @param directory the directory; made if it does not exist
     * @throws IOException if it cannot be written; what was there is kept
     */
    public void save(Path directory) throws IOException {
        try (Hold use = inUse()) {
            AdapterFiles.save(directory, config.toPeft(), shared, attachments, provenance());
        }
    }

    /**
     * Loads saved tensors into this adapter; each must be there, and nothing else. What PEFT saves
     * beside them, such as the base weight of an adapted embedding, is accepted. The provenance is
     * that of the files from now on. A warning is logged if they were made for another base model,
     * or if their provenance is malformed.
     *
     * @param directory a directory in PEFT's format
     * @throws AdapterMismatchException if tensors are missing, unexpected or misshaped; it lists
     *     all of them, and nothing has changed
     * @throws IOException if the files cannot be read
     */
    public void load(Path directory) throws IOException {
        try (OpenAdapter opened = OpenAdapter.open(directory, base)) {
            load(directory, opened.content(), true);
        }
    }

    /** Loads what was opened of a directory. */
    LoadReport load(Path directory, SavedAdapter saved, boolean strict) throws IOException {
        try (Hold use = inUse()) {
            requireUnmerged("loading into it");
            LoadReport report = AdapterFiles.load(saved, shared, attachments, strict);
            provenance.loaded(directory);
            return report;
        }
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
        try (OpenAdapter opened = OpenAdapter.open(directory, base)) {
            return load(directory, opened.content(), false);
        }
    }

    /**
     * Returns where this adapter comes from.
     *
     * @return what is known now
     */
    public Provenance provenance() {
        return provenance.known();
    }

    /**
     * Records a fact of the user's in the provenance, in the place of one of the same key. What
     * would control a terminal is replaced in the value, which is cut to 1024 characters.
     *
     * @param key lower-case letters and digits with single dots, dashes and underscores between,
     *     such as {@code ticket} or {@code team.name}
     * @param value the text
     * @throws IllegalArgumentException if {@link Provenance} does not take the key, or takes no
     *     more
     */
    public void record(String key, String value) {
        try (Hold use = inUse()) {
            provenance.put(key, value);
        }
    }

    /**
     * Records that this adapter was trained, for those who write trainers: the versions and the
     * base model become those of now, and what was recorded of an earlier training goes.
     *
     * @param facts the texts by key, which get {@code training.} before them; those that {@link
     *     Provenance} knows are {@code kind} such as {@code sft}, {@code steps} and {@code epochs}
     * @throws IllegalArgumentException as {@link #record}
     */
    public void recordTraining(Map<String, String> facts) {
        try (Hold use = inUse()) {
            provenance.trained(facts);
        }
    }

    ProvenanceLog provenanceLog() {
        return provenance;
    }

    /** Tells whether a parameter may be trained. */
    boolean isTrainable(Parameter parameter) {
        return !fixed.contains(parameter);
    }

    Map<String, Parameter> shared() {
        return shared;
    }

    List<Attachment> attachments() {
        return attachments;
    }

    void setTrainable(boolean trainable) {
        for (Parameter parameter : parameters().values()) {
            parameter.freeze(!trainable || fixed.contains(parameter));
        }
    }

    void setMerged(boolean inWeights) {
        merged = inWeights;
    }

    /** Makes sure, once, that a forward pass has asked for every adapted weight. */
    void requireRead(AdaptedStore store) {
        if (reached) {
            return;
        }
        List<String> unread =
                attachments.stream()
                        .filter(a -> !store.wasRead(a.weight().use()))
                        .map(Attachment::path)
                        .toList();
        if (!unread.isEmpty()) {
            throw new UnreachedWeightException(name, unread);
        }
        reached = true;
    }

    /** Takes a hold, unless the adapter is gone. */
    boolean hold() {
        return holds.updateAndGet(n -> n == 0 ? 0 : n + 1) > 0;
    }

    /** Gives a hold back; the last one frees the parameters. */
    void release() {
        if (holds.decrementAndGet() == 0) {
            attachments.forEach(attachment -> attachment.state().close());
            owner.close();
        }
    }

    /** Gives the model's own hold back. */
    void delete() {
        if (!deleted) {
            deleted = true;
            release();
        }
    }

    /** Keeps the parameters from being freed by another thread until it is closed. */
    interface Hold extends AutoCloseable {
        @Override
        void close();
    }

    /** Takes a hold of one operation, or refuses it if the adapter was deleted. */
    Hold inUse() {
        if (deleted || !hold()) {
            throw new IllegalStateException("adapter " + name + " was deleted or closed");
        }
        return this::release;
    }

    private void requireUnmerged(String what) {
        if (merged) {
            throw new IllegalStateException(
                    "adapter " + name + " is merged; unmerge before " + what);
        }
    }
}
