package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The adapters of a model by name, and which of them are in effect. Whoever adds, replaces or
 * removes one, or must not be overtaken by someone who does, holds the monitor of this; readers
 * need no lock.
 */
final class NamedAdapters {

    private final Activations activations = new Activations();

    /** In the order of adding; replaced whole. */
    private volatile Map<String, Adapter> byName = Map.of();

    Activations activations() {
        return activations;
    }

    /** Returns all adapters, in the order of adding. */
    List<Adapter> all() {
        return List.copyOf(byName.values());
    }

    List<String> names() {
        return all().stream().map(Adapter::name).toList();
    }

    /** Returns those that are in effect on this thread. */
    List<Adapter> active() {
        return activations.current().adapters();
    }

    Adapter get(String name) {
        Adapter adapter = byName.get(name);
        if (adapter == null) {
            throw new IllegalArgumentException(
                    "there is no adapter " + name + "; there are " + byName.keySet());
        }
        return adapter;
    }

    /** Returns the one that is in effect. */
    Adapter onlyActive() {
        List<Adapter> active = active();
        if (active.size() != 1) {
            throw new IllegalStateException(
                    "expected one active adapter, found "
                            + active.stream().map(Adapter::name).toList()
                            + "; name the one you mean");
        }
        return active.get(0);
    }

    /** Makes a set of some that may be in effect together. */
    ActiveSet setOf(String... names) {
        List<Adapter> chosen = new ArrayList<>();
        for (String name : names) {
            Adapter adapter = get(name);
            if (chosen.contains(adapter)) {
                throw new IllegalArgumentException("adapter " + name + " is named twice");
            }
            chosen.add(adapter);
        }
        return chosen.isEmpty() ? ActiveSet.NONE : new ActiveSet(chosen);
    }

    /** Puts some into effect for all threads, and makes them the trainable ones. */
    void activate(String... names) {
        ActiveSet active = setOf(names);
        activations.set(active);
        byName.values().forEach(a -> a.setTrainable(active.adapters().contains(a)));
    }

    void requireNew(String name) {
        if (name.isEmpty()
                || name.contains("/")
                || name.contains("\\")
                || name.equals(".")
                || name.equals("..")) {
            throw new IllegalArgumentException(
                    "an adapter's name is also a directory's, so it must not be \"" + name + "\"");
        }
        if (byName.containsKey(name)) {
            throw new IllegalStateException(
                    "there is an adapter " + name + " already; delete it, or choose another name");
        }
    }

    /** Adds an adapter, which is in effect if it is the first; one that cannot be is deleted. */
    synchronized void add(Adapter adapter) {
        ActiveSet alone;
        try {
            alone = new ActiveSet(List.of(adapter));
        } catch (RuntimeException e) {
            adapter.delete();
            throw e;
        }
        boolean first = byName.isEmpty();
        put(adapter);
        adapter.setTrainable(first);
        if (first) {
            activations.set(alone);
        }
    }

    /** Puts an adapter in the place of another of its name, and in effect where that is. */
    synchronized void replace(Adapter old, Adapter adapter) {
        List<Adapter> active = new ArrayList<>(activations.everywhere().adapters());
        boolean inEffect = active.contains(old);
        active.replaceAll(one -> one.equals(old) ? adapter : one);
        ActiveSet next = new ActiveSet(inEffect ? active : List.of(adapter));
        adapter.setTrainable(inEffect);
        put(adapter);
        if (inEffect) {
            activations.set(next);
        }
    }

    private void put(Adapter adapter) {
        Map<String, Adapter> more = new LinkedHashMap<>(byName);
        more.put(adapter.name(), adapter);
        byName = more;
    }

    /** Takes an adapter off, without freeing it. */
    synchronized void remove(Adapter adapter) {
        List<Adapter> left = new ArrayList<>(activations.everywhere().adapters());
        if (left.remove(adapter)) {
            activations.set(left.isEmpty() ? ActiveSet.NONE : new ActiveSet(left));
        }
        Map<String, Adapter> fewer = new LinkedHashMap<>(byName);
        fewer.remove(adapter.name());
        byName = fewer;
    }

    /** Takes all off, and returns them to be freed. */
    synchronized List<Adapter> removeAll() {
        List<Adapter> gone = all();
        byName = Map.of();
        activations.set(ActiveSet.NONE);
        return gone;
    }
}
