package io.peft4j.tuning;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import java.util.List;

/**
 * One of several models that share one set of base weights: policy, reference, reward and value are
 * adapters on it, and the base itself is the model without any. A role costs the memory of its
 * adapter, a few megabytes.
 *
 * <p>What the trained role computes needs no scope: its adapter is the active one. Whoever asks
 * another role enters it:
 *
 * <pre>{@code
 * try (AdapterScope scope = reference.enter()) {
 *     losses = model.rowLosses(ids, labels);
 * }
 * }</pre>
 *
 * @param model the base with all its adapters
 * @param adapters the names of those that make the role; none for the base itself
 */
public record Role(AdaptedModel model, List<String> adapters) {

    /** Copies the names. */
    public Role {
        adapters = List.copyOf(adapters);
    }

    /**
     * The base model, with all adapters off.
     *
     * @param model the base with its adapters
     * @return the role
     */
    public static Role base(AdaptedModel model) {
        return new Role(model, List.of());
    }

    /**
     * The base with one adapter.
     *
     * @param model the base with its adapters
     * @param name the adapter
     * @return the role
     */
    public static Role adapter(AdaptedModel model, String name) {
        return new Role(model, List.of(name));
    }

    /**
     * Has the calling thread compute with this role until the scope is closed.
     *
     * @return the scope
     * @throws IllegalStateException if an adapter is merged
     */
    public AdapterScope enter() {
        return model.use(adapters.toArray(new String[0]));
    }
}
