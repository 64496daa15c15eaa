package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The model that a policy is compared with: what the policy was when training began.
 *
 * <p>For a fresh adapter, which changes nothing yet, that is the base model, with the adapter off.
 * For one that was trained it is a frozen copy of it, a second adapter on the same base. A
 * reference that is to follow the policy is a copy always. It never moves unless a {@link
 * ReferenceSync} says so.
 */
public final class Reference implements AutoCloseable {

    /** The name of the copy. */
    public static final String NAME = "reference";

    private static final Logger LOG = LoggerFactory.getLogger(Reference.class);
    private static final String FILE = "reference.safetensors";

    private final Adapter policy;
    private final AdaptedModel model;
    private final @Nullable Adapter copy;
    private final Optional<ReferenceSync> sync;
    private final String start;

    private Reference(AdaptedModel model, @Nullable Adapter copy, Optional<ReferenceSync> sync) {
        this.model = model;
        policy = model.adapter();
        this.copy = copy;
        this.sync = sync;
        start = copy == null ? "base" : AdapterFingerprint.of(copy);
    }

    /**
     * Makes the reference of the active adapter.
     *
     * @param model the model
     * @param sync how it follows the policy; empty if it never moves
     * @return the reference; close it
     * @throws IllegalStateException if there is an adapter of the copy's name
     */
    public static Reference of(AdaptedModel model, Optional<ReferenceSync> sync) {
        if (sync.isEmpty() && FreshAdapter.is(model.adapter())) {
            return new Reference(model, null, sync);
        }
        Adapter policy = model.adapter();
        Adapter copy = model.add(NAME, policy.config(), policy.provenance().seed().orElse(42));
        try (GradMode off = GradMode.disabled()) {
            each(copy, policy, (reference, value) -> Tensors.copy(value, reference));
        }
        return new Reference(model, copy, sync);
    }

    /**
     * Says what it is, to the log and to whoever follows the training.
     *
     * @param observers get a note
     */
    public void announce(TrainingObserver... observers) {
        String note = "the reference is " + describe();
        LOG.info("{}", note);
        List.of(observers).forEach(observer -> observer.onNote(note));
    }

    private String describe() {
        if (copy == null) {
            return "the base model: the adapter is new and changes nothing yet";
        }
        return sync.map(
                        s ->
                                "a copy of the adapter, named \""
                                        + NAME
                                        + "\", that follows it every "
                                        + s.steps()
                                        + " steps")
                .orElse("a frozen copy of the adapter, named \"" + NAME + "\"");
    }

    /**
     * Returns how to compute with it.
     *
     * @return the base alone, or the base with the copy
     */
    public Role role() {
        return copy == null ? Role.base(model) : Role.adapter(model, NAME);
    }

    /**
     * Tells what it began with, which a resumed run must share.
     *
     * @return the SHA-256 of its adapter, or {@code base}
     */
    public String start() {
        return start;
    }

    /**
     * Tells which base and which adapter it computes with now.
     *
     * @return hashes, and the adapter's config
     */
    public String fingerprint() {
        String base = model.baseFingerprint();
        return copy == null
                ? base
                : base + " " + copy.config().toPeft().json() + " " + AdapterFingerprint.of(copy);
    }

    /**
     * Is told that the policy has moved, and follows it if it is time to.
     *
     * @param done the steps done
     */
    public void afterStep(int done) {
        sync.filter(s -> done % s.steps() == 0).ifPresent(s -> follow(s.mixupAlpha()));
    }

    private void follow(double alpha) {
        Adapter moved = Objects.requireNonNull(copy); // one that is to follow is a copy
        try (GradMode off = GradMode.disabled()) {
            each(moved, policy, (reference, value) -> mix(reference, value, alpha));
        }
    }

    /** Visits the parameters of a copy and of what it is a copy of, in pairs. */
    private static void each(Adapter copy, Adapter policy, BiConsumer<NDArray, NDArray> visitor) {
        Map<String, NDArray> values = arrays(policy);
        arrays(copy)
                .forEach(
                        (name, array) ->
                                visitor.accept(
                                        array, Objects.requireNonNull(values.get(name), name)));
    }

    private static void mix(NDArray reference, NDArray policy, double alpha) {
        try (NDManager scope = reference.getManager().newSubManager()) {
            NDArray step = policy.mul((float) alpha);
            step.attach(scope);
            reference.muli((float) (1 - alpha));
            reference.addi(step);
        }
    }

    /**
     * Writes the copy, if it is one, into a checkpoint.
     *
     * @param directory an existing directory
     * @throws IOException if writing fails
     */
    public void save(Path directory) throws IOException {
        if (copy != null) {
            TensorFile.save(directory.resolve(FILE), arrays(copy));
        }
    }

    /**
     * Reads the copy, if it is one.
     *
     * @param directory what {@link #save} wrote into
     * @throws IOException if the file cannot be read or does not fit
     */
    public void load(Path directory) throws IOException {
        if (copy != null) {
            TensorFile.load(directory.resolve(FILE), arrays(copy));
        }
    }

    private static Map<String, NDArray> arrays(Adapter adapter) {
        Map<String, NDArray> arrays = new LinkedHashMap<>();
        adapter.parameters().forEach((name, p) -> arrays.put(name, p.getArray()));
        return arrays;
    }

    /** Takes the copy off the model. */
    @Override
    public void close() {
        if (copy != null) {
            model.delete(NAME);
        }
    }
}
