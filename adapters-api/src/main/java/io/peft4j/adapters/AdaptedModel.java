package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A frozen base model with named adapters on it.
 *
 * <p>{@link #block()} is the adapted model: train it with DJL's Trainer, serve it with DJL's
 * Predictor. The base block stays the caller's and stays the base model. Which adapters are in
 * effect is set for all threads by {@link #activate}, or for a request by a scope of its thread
 * ({@link #use}, {@link #disableAdapter}); the updates of several add, unless they {@linkplain
 * AdapterState#composes compose}. Only {@link #merge} changes base weights.
 *
 * <p>Forwards may run in many threads while adapters are added, loaded, swapped, activated and
 * deleted in another: each uses the adapters that were in effect when it began, and none waits for
 * a load. Merging, unmerging and closing need a moment without forwards. An operation that fails
 * changes nothing.
 *
 * <p>Arithmetic with Java numbers, as in {@code array.mul(0.5f)}, leaves the number in a Java
 * buffer that a garbage collection before backward frees, and the gradient is then wrong without a
 * word; DJL's {@code Loss.l2Loss()} does it, and BertBlock. Within {@link #block()}'s forward pass
 * such buffers are kept. In a loss, make the number an array of the batch's manager ({@code
 * array.mul(manager.create(0.5f))}), or compute it in a scope of {@link
 * io.peft4j.torch.KeptBuffers}.
 *
 * <p>The file is long because it says what a user may rely on, operation by operation. The work is
 * in {@code NamedAdapters}, {@code MergedWeights}, {@code AdapterCreation} and {@code
 * AdaptedStore}.
 */
public final class AdaptedModel implements AutoCloseable {

    /** The name that an adapter has unless it is given one, as in PEFT. */
    public static final String DEFAULT = "default";

    private final Block base;
    private final AdaptedBlock block;
    private final NamedAdapters adapters = new NamedAdapters();
    private final MergedWeights weights;
    private final LinearSwap swap;
    private final List<Parameter> frozenHere;
    private Runnable onClose = () -> {};

    /**
     * Taken by what makes, removes or merges adapters, which may take long. The monitor of the
     * adapters is held, and taken after it, only where such a change takes effect, so that no
     * request waits for a load.
     */
    private final Turns changes = new Turns();

    private volatile boolean partial;
    private volatile boolean closed;

    AdaptedModel(Block base) {
        this.base = base;
        weights = new MergedWeights(base, adapters.activations());
        swap = LinearSwap.in(base);
        block = new AdaptedBlock(base, swap.root(), this);
        frozenHere =
                base.getParameters().values().stream().filter(Parameter::requiresGradient).toList();
        base.freezeParameters(true);
        if (base instanceof AdapterHost host) {
            host.setAdapters(this);
        }
    }

    /**
     * Gives the store to use in the place of one, with the adapters that are in effect on this
     * thread now; for an {@link AdapterHost}.
     *
     * @param inner the store that holds the values; its manager must live as long as one pass
     * @return a store for one pass
     */
    public ParameterStore store(ParameterStore inner) {
        if (inner instanceof AdaptedStore) {
            return inner;
        }
        return AdaptedStore.holding(inner, holdActive());
    }

    /**
     * Counts what adapters change in a pass, for an {@link AdapterHost} that computes layers with
     * their adapters itself: if it has found fewer changed layers, something else is changed, such
     * as an embedding or a bias.
     *
     * @param store a store of {@link #store}, or any other
     * @return how many base weights the adapters in effect change, each use of a tied one by itself
     */
    public static int changedWeights(ParameterStore store) {
        return store instanceof AdaptedStore adapted ? adapted.changedWeights() : 0;
    }

    /**
     * Lists what the adapters of a pass are computed from, for an {@link AdapterHost} that prepares
     * what they add and keeps it: while none of these has become another array or was written to,
     * {@link AdaptableLinear#lowRankUpdates} stay what they were.
     *
     * @param store a store of {@link #store} or of {@link RowAdapters}, or any other
     * @return the adapters' parameters and the weights that they change; none if no adapter is in
     *     effect
     */
    public static List<Parameter> sources(ParameterStore store) {
        return store instanceof AdaptedStore adapted ? adapted.sources() : List.of();
    }

    /**
     * Chooses an adapter for each row of a batch, whatever is active elsewhere, as PEFT's {@code
     * adapter_names} does; for an {@link AdapterHost}. The adapters outlive their deletion until
     * the choice is closed, and nothing can be merged meanwhile.
     *
     * @param names an adapter for each row, or {@link RowAdapters#BASE} for none
     * @return the choice; close it
     * @throws IllegalArgumentException if a name is unknown
     * @throws IllegalStateException if an adapter is merged, so that the weights are not the base's
     */
    public RowAdapters forRows(List<String> names) {
        synchronized (adapters) {
            requireUnmerged("choosing adapters");
            Map<String, ActiveSet> sets = new LinkedHashMap<>();
            for (String name : names) {
                if (!sets.containsKey(name)) {
                    boolean none = name.equals(RowAdapters.BASE);
                    sets.put(name, none ? ActiveSet.NONE : adapters.setOf(name));
                }
            }
            return new RowAdapters(names, sets, adapters.activations());
        }
    }

    /**
     * Tells whether adapters change a parameter in a pass, for a block that computes with it
     * elsewhere than in a DJL operation.
     *
     * @param store the store that the block's forward was given
     * @param parameter one of the block's parameters
     * @return whether {@code store.getValue} would answer something else than the parameter
     */
    public static boolean isChanged(ParameterStore store, Parameter parameter) {
        return store instanceof AdaptedStore adapted && adapted.isChanged(parameter);
    }

    /**
     * Tells what adapters add to a linear layer in a pass, for a block that computes the layer and
     * its adapters itself. If the answer is used, {@code store.getValue} need not be asked.
     *
     * @param store the store that the block's forward was given
     * @param weight the layer's weight (out, in)
     * @param device where the pass runs
     * @param training whether dropout is on and gradients will be asked for
     * @return the updates, which add; null if the adapters do something else to the weight
     */
    public static @Nullable List<LowRankUpdate> lowRankUpdates(
            ParameterStore store, Parameter weight, Device device, boolean training) {
        return store instanceof AdaptedStore adapted
                ? adapted.lowRankUpdates(weight, weight, null, device, training)
                : List.of();
    }

    /**
     * Returns the adapted model.
     *
     * @return the block whose forward has the adapters in effect
     */
    public Block block() {
        return block;
    }

    /**
     * Adds an adapter. It is not in effect until it is activated, unless it is the first.
     *
     * @param name a new name, without a slash or a backslash
     * @param config the settings
     * @param seed decides the initial values
     * @return the adapter
     * @throws AdapterConfigException if a target matches nothing or the settings do not fit
     * @throws IllegalStateException if the name is taken or an adapter is merged
     */
    public Adapter add(String name, AdapterConfig config, long seed) {
        try (Turns.Turn turn = changes.take()) {
            requireUnmerged("adding an adapter");
            adapters.requireNew(name);
            Adapter adapter =
                    new AdapterCreation(base, config, seed).create(name, this::baseFingerprint);
            adapters.add(adapter);
            return adapter;
        }
    }

    /**
     * Adds an adapter whose initial values are always the same: seed 42.
     *
     * @param name a new name
     * @param config the settings
     * @return the adapter
     * @throws AdapterConfigException as {@link #add(String, AdapterConfig, long)}
     */
    public Adapter add(String name, AdapterConfig config) {
        return add(name, config, 42);
    }

    /**
     * Adds a saved adapter. It is not in effect until it is activated, unless it is the first. A
     * warning is logged if its provenance names another base model.
     *
     * @param name a new name
     * @param directory a directory in PEFT's format
     * @return the adapter
     * @throws AdapterConfigException if the settings are malformed or do not fit the model
     * @throws AdapterMismatchException if the tensors do not fit
     * @throws IOException if the files cannot be read
     */
    public Adapter load(String name, Path directory) throws IOException {
        try (Turns.Turn turn = changes.take()) {
            requireUnmerged("loading an adapter");
            adapters.requireNew(name);
            Adapter adapter = AdapterCreation.load(base, name, directory, this::baseFingerprint);
            adapters.add(adapter);
            return adapter;
        }
    }

    /**
     * Puts a saved adapter in the place of another, under its name and in effect where that is. It
     * may be of another rank or method and adapt other modules. Nothing else is loaded, and
     * requests go on meanwhile: a scope or a forward that began with the old one ends with it, one
     * that begins later has the new one, and none sees a part of each. The old one's memory is
     * freed with the last that uses it.
     *
     * @param name an adapter
     * @param directory a directory in PEFT's format
     * @return the new adapter
     * @throws IllegalArgumentException if there is no adapter of this name, or the new one cannot
     *     be active together with those that the old one is active with; nothing has changed
     * @throws IllegalStateException if an adapter is merged
     * @throws AdapterConfigException as {@link #load}; nothing has changed
     * @throws AdapterMismatchException as {@link #load}; nothing has changed
     * @throws IOException as {@link #load}; nothing has changed
     */
    public Adapter hotswap(String name, Path directory) throws IOException {
        try (Turns.Turn turn = changes.take()) {
            requireUnmerged("swapping an adapter");
            Adapter old = adapters.get(name);
            Adapter adapter = AdapterCreation.load(base, name, directory, this::baseFingerprint);
            try {
                adapters.replace(old, adapter);
            } catch (RuntimeException e) {
                adapter.delete();
                throw e;
            }
            old.delete();
            return adapter;
        }
    }

    /**
     * Puts adapters into effect, for all threads, and makes them the trainable ones; all others go
     * out of effect and are frozen.
     *
     * @param names the adapters, whose updates add; none for the base model
     * @throws IllegalArgumentException if a name is unknown or given twice, or two of them replace
     *     the same parameter
     * @throws IllegalStateException if an adapter is merged
     */
    public void activate(String... names) {
        try (Turns.Turn turn = changes.take()) {
            requireUnmerged("activating");
            adapters.activate(names);
        }
    }

    /**
     * Puts adapters into effect in a scope of this thread, whatever is active elsewhere. It is what
     * a server opens for a request.
     *
     * @param names the adapters, whose updates add; none for the base model
     * @return the scope
     * @throws IllegalArgumentException as {@link #activate}
     * @throws IllegalStateException if an adapter is merged, so that the weights are not the base's
     */
    public AdapterScope use(String... names) {
        synchronized (adapters) {
            requireUnmerged("choosing adapters");
            ActiveSet active = adapters.setOf(names);
            if (!active.hold()) { // what is named is held by the model itself
                throw new IllegalStateException(
                        "adapters " + List.of(names) + " are being deleted");
            }
            return adapters.activations().open(active);
        }
    }

    /**
     * Turns all adapters off in a scope of this thread: the model is the base model until the scope
     * is closed.
     *
     * @return the scope
     * @throws IllegalStateException if an adapter is merged, so that the weights are not the base's
     */
    public AdapterScope disableAdapter() {
        return use();
    }

    /**
     * Removes an adapter. Forwards and scopes that use it end undisturbed; its memory is freed with
     * the last of them.
     *
     * @param name the adapter
     * @throws IllegalArgumentException if there is none of this name
     * @throws IllegalStateException if it is merged
     */
    public void delete(String name) {
        try (Turns.Turn turn = changes.take()) {
            requireUnmerged("deleting an adapter");
            Adapter adapter = adapters.get(name);
            adapters.remove(adapter);
            adapter.delete();
        }
    }

    /**
     * Returns an adapter.
     *
     * @param name its name
     * @return the adapter
     * @throws IllegalArgumentException if there is none of this name
     */
    public Adapter adapter(String name) {
        requireOpen();
        return adapters.get(name);
    }

    /**
     * Returns the active adapter of a model that has one.
     *
     * @return the adapter
     * @throws IllegalStateException if none or several are active
     */
    public Adapter adapter() {
        requireOpen();
        return adapters.onlyActive();
    }

    /**
     * Returns the names of all adapters.
     *
     * @return the names, in the order of adding
     */
    public List<String> names() {
        return adapters.names();
    }

    /**
     * Returns the names of the adapters that are in effect on this thread; while merged, of those
     * in the weights.
     *
     * @return the names, in the order of activation
     */
    public List<String> active() {
        return adapters.active().stream().map(Adapter::name).toList();
    }

    List<Adapter> adapters() {
        return adapters.all();
    }

    /**
     * Saves all adapters in PEFT's layout: the one named {@code default} in the directory itself,
     * others in directories of their names below it. Each gets a {@link ModelCard}, unless its
     * directory has a README.md that a user wrote or edited.
     *
     * @param directory the directory; made if it does not exist
     * @throws IOException if it cannot be written; what was there is kept
     */
    public void save(Path directory) throws IOException {
        requireOpen();
        for (Adapter adapter : adapters()) {
            boolean root = adapter.name().equals(DEFAULT);
            Path target = root ? directory : directory.resolve(adapter.name());
            adapter.save(target);
            ModelCard.of(adapter).write(target);
        }
    }

    /**
     * Counts what the active adapters add.
     *
     * @return totals and a row per adapter and weight
     */
    public AdapterSummary summary() {
        requireOpen();
        return AdapterSummary.of(base, adapters.active(), weights.keptBytes());
    }

    /**
     * Tells base models apart: the SHA-256 of the parameters' names, shapes and a thousand evenly
     * spaced elements of each, which takes a tenth of a second for billions of them. Adapters,
     * merged or not, do not count; nor does whether the same values are stored as float32, float16
     * or bfloat16. A base that differs in a few rows of a large table may go unnoticed.
     *
     * @return 64 hexadecimal digits
     */
    public String baseFingerprint() {
        try (Turns.Turn turn = changes.take()) {
            requireOpen();
            return weights.fingerprint();
        }
    }

    /**
     * Tells whether the weights hold the active adapters.
     *
     * @return whether {@link #merge} is in force
     */
    public boolean isMerged() {
        return weights.areMerged();
    }

    /**
     * Writes the active adapters' effective weights over the base weights. Delta and sum are
     * computed in float32 and rounded once. The original weights are kept for {@link #unmerge};
     * {@link #summary} tells their size. Merging twice does nothing the second time.
     *
     * @return what changed
     * @throws NonFiniteMergeException if an effective weight is infinite or not a number; nothing
     *     has changed then
     * @throws TiedWeightException if a weight is shared with a module that is not adapted
     * @throws IllegalStateException if any thread has a scope open: the weights would be other ones
     *     than it chose
     */
    public MergeReport merge() {
        try (Turns.Turn turn = changes.take()) {
            synchronized (adapters) {
                requireOpen();
                return weights.merge();
            }
        }
    }

    /** Puts the original weights back, bit for bit. Does nothing if no adapter is merged. */
    public void unmerge() {
        try (Turns.Turn turn = changes.take()) {
            synchronized (adapters) {
                requireOpen();
                weights.unmerge();
            }
        }
    }

    /**
     * Writes the active adapters' effective weights over the base weights for good and takes all
     * adapters off. No copy of a weight is made.
     *
     * @return what changed
     * @throws NonFiniteMergeException as {@link #merge}
     * @throws TiedWeightException as {@link #merge}
     * @throws IllegalStateException as {@link #merge}, or if an adapter is merged already
     */
    public MergeReport mergeAndUnload() {
        try (Turns.Turn turn = changes.take()) {
            synchronized (adapters) {
                requireUnmerged("merging for good");
                MergeReport report = weights.mergeForGood();
                closeNow();
                return report;
            }
        }
    }

    /**
     * Tells whether an adapter, in effect or not, changes modules that share a weight together, as
     * trained token rows do. Such modules must stay tied.
     *
     * @return whether there is one
     */
    public boolean keepsTied() {
        return adapters().stream()
                .flatMap(adapter -> adapter.attachments().stream())
                .anyMatch(a -> a.reachesTies() && !a.weight().site().tiedTo().isEmpty());
    }

    /**
     * Accepts a model that uses only some of its adapted modules in a forward pass, such as a
     * mixture of experts. Otherwise the first forward that does not ask for an adapted weight is an
     * error, since such an adapter would be without effect.
     */
    public void allowUnusedSites() {
        partial = true;
    }

    /**
     * Takes all adapters off, back to the base model, and frees them; scopes of other threads have
     * no effect from now on. The base stays frozen. A second call does nothing.
     */
    @Override
    public void close() {
        try (Turns.Turn turn = changes.take()) {
            synchronized (adapters) {
                closeNow();
            }
        }
    }

    private void closeNow() {
        if (closed) {
            return;
        }
        weights.unmerge();
        closed = true;
        List<Adapter> gone = adapters.removeAll();
        if (base instanceof AdapterHost host) {
            host.setAdapters(null);
        }
        try {
            swap.undo();
        } finally {
            gone.forEach(Adapter::delete);
            onClose.run();
        }
    }

    /** Closes a model that got no adapter, and leaves the base no more frozen than it was. */
    void abandon() {
        close();
        frozenHere.forEach(parameter -> parameter.freeze(false));
    }

    /** Sets what else is to be undone when the adapters are taken off. */
    void onClose(Runnable action) {
        onClose = action;
    }

    /** What is in effect on this thread, held until released: nothing while it is merged. */
    ActiveSet holdActive() {
        return weights.areMerged() || closed ? ActiveSet.NONE : adapters.activations().hold();
    }

    /** What is chosen on this thread, merged or not, held until released. */
    ActiveSet holdChosen() {
        return adapters.activations().hold();
    }

    /**
     * Makes sure, once for each adapter, that all its weights were asked for. Hosts are written for
     * adapters, and may leave out weights that a batch has no use for, as an expert's.
     */
    void requireRead(ActiveSet active, AdaptedStore store) {
        if (partial || base instanceof AdapterHost) {
            return;
        }
        for (Adapter adapter : active.adapters()) {
            adapter.requireRead(store);
        }
    }

    void requireUnmerged(String what) {
        requireOpen();
        weights.requireUnmerged(what);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this adapted model was closed");
        }
    }
}
