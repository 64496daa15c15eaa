package io.peft4j.adapters;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
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
 */
public final class AdaptedModel implements AutoCloseable {

    /** The name that an adapter has unless it is given one, as in PEFT. */
    public static final String DEFAULT = "default";

    private final Block base;
    private final AdaptedBlock block;
    private final Activations activations = new Activations();
    private final LinearSwap swap;
    private final List<Parameter> frozenHere;
    private Runnable onClose = () -> {};

    /**
     * Taken by what makes, removes or merges adapters, which may take long. The monitor is held,
     * and taken after it, only where such a change takes effect, so that no request waits for a
     * load.
     */
    private final Turns changes = new Turns();

    /** By name, in the order of adding; replaced whole, so that readers need no lock. */
    private volatile Map<String, Adapter> adapters = Map.of();

    private volatile @Nullable Merge merge;
    private volatile boolean partial;
    private volatile boolean closed;

    AdaptedModel(Block base) {
        this.base = base;
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
        ActiveSet active = holdActive();
        NDManager owner = inner.getManager();
        if (!active.isEmpty()) {
            AutoCloseable hold = active::release;
            try {
                owner.attachInternal(UUID.randomUUID().toString(), hold);
            } catch (RuntimeException e) {
                active.release();
                throw e;
            }
        }
        return AdaptedStore.forHost(inner, active, owner);
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
    public synchronized RowAdapters forRows(List<String> names) {
        requireUnmerged("choosing adapters");
        Map<String, ActiveSet> sets = new LinkedHashMap<>();
        for (String name : names) {
            if (!sets.containsKey(name)) {
                sets.put(name, name.equals(RowAdapters.BASE) ? ActiveSet.NONE : setOf(name));
            }
        }
        return new RowAdapters(names, sets, activations);
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
            requireNew(name);
            Adapter adapter =
                    new AdapterCreation(base, config, seed).create(name, this::baseFingerprint);
            try {
                adapter.attachments().forEach(AdapterCreation::requireDropoutActs);
                adapter.provenanceLog().created(seed);
            } catch (RuntimeException e) {
                adapter.delete();
                throw e;
            }
            register(adapter);
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
            requireNew(name);
            Adapter adapter = read(name, directory);
            register(adapter);
            return adapter;
        }
    }

    private Adapter read(String name, Path directory) throws IOException {
        try (OpenAdapter opened = OpenAdapter.open(directory, base)) {
            SavedAdapter saved = opened.content();
            Adapter adapter =
                    new AdapterCreation(base, Adapters.readConfig(saved.config()), 0)
                            .create(name, this::baseFingerprint);
            try {
                adapter.load(directory, saved, true);
            } catch (IOException | RuntimeException | Error e) {
                adapter.delete();
                throw e;
            }
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
            Adapter old = adapter(name);
            Adapter adapter = read(name, directory);
            try {
                replace(old, adapter);
            } catch (RuntimeException e) {
                adapter.delete();
                throw e;
            }
            old.delete();
            return adapter;
        }
    }

    private synchronized void replace(Adapter old, Adapter adapter) {
        List<Adapter> active = new ArrayList<>(activations.everywhere().adapters());
        boolean inEffect = active.contains(old);
        active.replaceAll(one -> one.equals(old) ? adapter : one);
        ActiveSet next = new ActiveSet(inEffect ? active : List.of(adapter));
        adapter.setTrainable(inEffect);
        Map<String, Adapter> replaced = new LinkedHashMap<>(adapters);
        replaced.put(adapter.name(), adapter);
        adapters = replaced;
        if (inEffect) {
            activations.set(next);
        }
    }

    private synchronized void register(Adapter adapter) {
        ActiveSet alone;
        try {
            alone = new ActiveSet(List.of(adapter));
        } catch (RuntimeException e) {
            adapter.delete();
            throw e;
        }
        boolean first = adapters.isEmpty();
        Map<String, Adapter> more = new LinkedHashMap<>(adapters);
        more.put(adapter.name(), adapter);
        adapters = more;
        adapter.setTrainable(first);
        if (first) {
            activations.set(alone);
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
            ActiveSet active = setOf(names);
            activations.set(active);
            adapters.values().forEach(a -> a.setTrainable(active.adapters().contains(a)));
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
    public synchronized AdapterScope use(String... names) {
        requireUnmerged("choosing adapters");
        ActiveSet active = setOf(names);
        if (!active.hold()) { // what is registered is held by the model itself
            throw new IllegalStateException("adapters " + List.of(names) + " are being deleted");
        }
        return activations.open(active);
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

    private ActiveSet setOf(String... names) {
        List<Adapter> chosen = new ArrayList<>();
        for (String name : names) {
            Adapter adapter = adapter(name);
            if (chosen.contains(adapter)) {
                throw new IllegalArgumentException("adapter " + name + " is named twice");
            }
            chosen.add(adapter);
        }
        return chosen.isEmpty() ? ActiveSet.NONE : new ActiveSet(chosen);
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
            Adapter adapter = adapter(name);
            remove(adapter);
            adapter.delete();
        }
    }

    private synchronized void remove(Adapter adapter) {
        List<Adapter> left = new ArrayList<>(activations.everywhere().adapters());
        if (left.remove(adapter)) {
            activations.set(left.isEmpty() ? ActiveSet.NONE : new ActiveSet(left));
        }
        Map<String, Adapter> fewer = new LinkedHashMap<>(adapters);
        fewer.remove(adapter.name());
        adapters = fewer;
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
        Adapter adapter = adapters.get(name);
        if (adapter == null) {
            throw new IllegalArgumentException(
                    "there is no adapter " + name + "; there are " + adapters.keySet());
        }
        return adapter;
    }

    /**
     * Returns the active adapter of a model that has one.
     *
     * @return the adapter
     * @throws IllegalStateException if none or several are active
     */
    public Adapter adapter() {
        requireOpen();
        List<Adapter> active = activeAdapters();
        if (active.size() != 1) {
            throw new IllegalStateException(
                    "expected one active adapter, found " + active() + "; name the one you mean");
        }
        return active.get(0);
    }

    /**
     * Returns the names of all adapters.
     *
     * @return the names, in the order of adding
     */
    public List<String> names() {
        return adapters().stream().map(Adapter::name).toList();
    }

    /**
     * Returns the names of the adapters that are in effect on this thread; while merged, of those
     * in the weights.
     *
     * @return the names, in the order of activation
     */
    public List<String> active() {
        return activeAdapters().stream().map(Adapter::name).toList();
    }

    List<Adapter> activeAdapters() {
        return activations.current().adapters();
    }

    List<Adapter> adapters() {
        return List.copyOf(adapters.values());
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
        Merge merged = merge;
        long kept = merged == null ? 0 : merged.keptBytes();
        return AdapterSummary.of(base, activeAdapters(), kept);
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
            Merge merged = merge;
            return BaseFingerprint.of(
                    new BaseModel(base), merged == null ? Parameter::getArray : merged::originalOf);
        }
    }

    /**
     * Tells whether the weights hold the active adapters.
     *
     * @return whether {@link #merge} is in force
     */
    public boolean isMerged() {
        return merge != null;
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
            return mergeNow();
        }
    }

    /** Nobody can choose adapters meanwhile. */
    private synchronized MergeReport mergeNow() {
        requireOpen();
        if (merge != null) {
            return new MergeReport(List.of());
        }
        requireNoScope("merging");
        Merge done = Merge.keeping(activations.everywhere(), new BaseModel(base));
        done.active().adapters().forEach(adapter -> adapter.setMerged(true));
        merge = done;
        return done.report();
    }

    /** Puts the original weights back, bit for bit. Does nothing if no adapter is merged. */
    public void unmerge() {
        try (Turns.Turn turn = changes.take()) {
            unmergeNow();
        }
    }

    private synchronized void unmergeNow() {
        requireOpen();
        Merge done = merge;
        if (done != null) {
            done.undo();
            done.active().adapters().forEach(adapter -> adapter.setMerged(false));
            merge = null;
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
            return mergeForGood();
        }
    }

    private synchronized MergeReport mergeForGood() {
        requireUnmerged("merging for good");
        requireNoScope("merging");
        MergeReport report = Merge.forGood(activations.everywhere(), new BaseModel(base));
        closeNow();
        return report;
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
            closeNow();
        }
    }

    private synchronized void closeNow() {
        if (closed) {
            return;
        }
        unmergeNow();
        closed = true;
        List<Adapter> gone = adapters();
        adapters = Map.of();
        activations.set(ActiveSet.NONE);
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
        return merge == null && !closed ? activations.hold() : ActiveSet.NONE;
    }

    /** What is chosen on this thread, merged or not, held until released. */
    ActiveSet holdChosen() {
        return activations.hold();
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

    private void requireNew(String name) {
        if (name.isEmpty()
                || name.contains("/")
                || name.contains("\\")
                || name.equals(".")
                || name.equals("..")) {
            throw new IllegalArgumentException(
                    "an adapter's name is also a directory's, so it must not be \"" + name + "\"");
        }
        if (names().contains(name)) {
            throw new IllegalStateException(
                    "there is an adapter " + name + " already; delete it, or choose another name");
        }
    }

    void requireUnmerged(String what) {
        requireOpen();
        if (merge != null) {
            throw new IllegalStateException(
                    what
                            + " while adapters "
                            + active()
                            + " are merged into the weights; unmerge first");
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this adapted model was closed");
        }
    }
}
