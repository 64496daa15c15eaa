package io.peft4j.adapters;

import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An adapter for each row of a batch, chosen by {@link AdaptedModel#forRows}.
 *
 * <p>Rows of one adapter are to stand together, so that a layer computes them as one part: {@link
 * #order} says how to lay the rows, and {@link #parts} what each part has.
 *
 * <pre>
 *   names  fr  de  __base__  fr        order  0 3 1 2
 *   parts  fr: 2 rows from 0, de: 1 from 2, __base__: 1 from 3
 * </pre>
 */
public final class RowAdapters implements AutoCloseable {

    /** The name of no adapter, as in PEFT. */
    public static final String BASE = "__base__";

    /**
     * Rows that stand together and have one adapter.
     *
     * @param name the adapter, or {@link #BASE}
     * @param start the first row, in the order of {@link #order}
     * @param count how many there are
     */
    public record Part(String name, int start, int count) {}

    private final Map<String, ActiveSet> sets;
    private final Activations activations;
    private final List<Integer> order = new ArrayList<>();
    private final List<Part> parts = new ArrayList<>();
    private boolean open = true;

    RowAdapters(List<String> names, Map<String, ActiveSet> sets, Activations activations) {
        this.sets = new LinkedHashMap<>();
        this.activations = activations;
        activations.opened();
        for (Map.Entry<String, ActiveSet> set : sets.entrySet()) {
            if (!set.getValue().hold()) {
                close();
                throw new IllegalStateException("adapter " + set.getKey() + " is being deleted");
            }
            this.sets.put(set.getKey(), set.getValue());
        }
        for (String name : sets.keySet()) {
            int start = order.size();
            for (int row = 0; row < names.size(); row++) {
                if (names.get(row).equals(name)) {
                    order.add(row);
                }
            }
            parts.add(new Part(name, start, order.size() - start));
        }
    }

    /**
     * Returns how rows are to be laid.
     *
     * @return for each row of a batch with its parts together, which of the named rows it is
     */
    public List<Integer> order() {
        return List.copyOf(order);
    }

    /**
     * Returns the parts.
     *
     * @return one per adapter, from the first row on
     */
    public List<Part> parts() {
        return List.copyOf(parts);
    }

    /**
     * Gives the store to use in the place of one for the rows of a part.
     *
     * @param part one of {@link #parts}
     * @param inner the store that holds the values; its manager must live as long as one pass
     * @return a store for one pass
     * @throws IllegalStateException if this was closed
     */
    public ParameterStore store(Part part, ParameterStore inner) {
        ActiveSet active = sets.get(part.name());
        if (!open || active == null) {
            throw new IllegalStateException(
                    open ? "no part " + part + " here" : "these row adapters were closed");
        }
        return AdaptedStore.forHost(inner, active, inner.getManager());
    }

    /** Lets go of the adapters; a second call does nothing. */
    @Override
    public void close() {
        if (open) {
            open = false;
            sets.values().forEach(ActiveSet::release);
            activations.closed();
        }
    }
}
