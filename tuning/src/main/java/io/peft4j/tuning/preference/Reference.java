package io.peft4j.tuning.preference;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.files.Sha256;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.Role;
import io.peft4j.tuning.TensorFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The model that a policy is compared with: what the policy was when training began.
 *
 * <p>For a fresh adapter, which changes nothing yet, that is the base model, with the adapter off.
 * For one that was trained it is a frozen copy of it, a second adapter on the same base. A
 * reference that is to follow the policy is a copy always.
 */
final class Reference implements AutoCloseable {

    /** The name of the copy. */
    static final String NAME = "reference";

    private static final String FILE = "reference.safetensors";

    private final Adapter policy;
    private final AdaptedModel model;
    private final @Nullable Adapter copy;
    private final String start;

    private Reference(AdaptedModel model, @Nullable Adapter copy) {
        this.model = model;
        policy = model.adapter();
        this.copy = copy;
        start = copy == null ? "base" : hash(copy);
    }

    /**
     * Makes the reference of the active adapter.
     *
     * @param model the model
     * @param moving whether the reference will follow the policy
     * @throws IllegalStateException if there is an adapter of the copy's name
     */
    static Reference of(AdaptedModel model, boolean moving) {
        if (!moving && FreshAdapter.is(model.adapter())) {
            return new Reference(model, null);
        }
        Adapter policy = model.adapter();
        Adapter copy = model.add(NAME, policy.config(), policy.provenance().seed().orElse(42));
        try (GradMode off = GradMode.disabled()) {
            each(copy, policy, (reference, value) -> Tensors.copy(value, reference));
        }
        return new Reference(model, copy);
    }

    /** Tells in words what it is. */
    String describe() {
        return copy == null
                ? "the base model: the adapter is new and changes nothing yet"
                : "a frozen copy of the adapter, named \"" + NAME + "\"";
    }

    Role role() {
        return copy == null ? Role.base(model) : Role.adapter(model, NAME);
    }

    /** Returns the SHA-256 of what it began with, or {@code base}. */
    String start() {
        return start;
    }

    /** Returns which base and which adapter it computes with now. */
    String fingerprint() {
        String base = model.baseFingerprint();
        return copy == null ? base : base + " " + copy.config().toPeft().json() + " " + hash(copy);
    }

    /** Moves it towards the policy. */
    void follow(double alpha) {
        if (copy == null) {
            throw new IllegalStateException("the base model is no reference that can move");
        }
        try (GradMode off = GradMode.disabled()) {
            each(copy, policy, (reference, value) -> mix(reference, value, alpha));
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

    void save(Path directory) throws IOException {
        if (copy != null) {
            TensorFile.save(directory.resolve(FILE), arrays(copy));
        }
    }

    void load(Path directory) throws IOException {
        if (copy != null) {
            TensorFile.load(directory.resolve(FILE), arrays(copy));
        }
    }

    private static Map<String, NDArray> arrays(Adapter adapter) {
        Map<String, NDArray> arrays = new LinkedHashMap<>();
        adapter.parameters().forEach((name, p) -> arrays.put(name, p.getArray()));
        return arrays;
    }

    private static String hash(Adapter adapter) {
        MessageDigest digest = Sha256.digest();
        new TreeMap<>(arrays(adapter))
                .forEach(
                        (name, array) -> {
                            digest.update(name.getBytes(StandardCharsets.UTF_8));
                            digest.update(array.toByteBuffer());
                        });
        return Sha256.hex(digest);
    }

    /** Takes the copy off the model. */
    @Override
    public void close() {
        if (copy != null) {
            model.delete(NAME);
        }
    }
}
