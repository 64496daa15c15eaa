package io.peft4j.adapters;

import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What a collection, a map or another container of {@code java.util} holds.
 *
 * <p>Only trying tells whether a collection can change: {@code Collections.unmodifiableList} is a
 * view of a list that may, and {@code Arrays.asList} changes but does not grow. So a replacement is
 * tried in place, each kind in a way that leaves everything as it was when refused.
 */
abstract class CollectionPlace<C> extends ReferencePlace {

    final C held;

    private CollectionPlace(String name, C held) {
        super(name);
        this.held = held;
    }

    /** Returns the inside of an object, or null if it is no known container. */
    @SuppressWarnings("unchecked") // what is put in is checked only where a container checks
    static @Nullable ReferencePlace of(String name, Object object) {
        if (object instanceof List) {
            return new InList(name, (List<Object>) object);
        }
        if (object instanceof Collection) {
            return new InCollection(name, (Collection<Object>) object);
        }
        if (object instanceof Map) {
            return new InMap(name, (Map<Object, Object>) object);
        }
        if (object instanceof Map.Entry) {
            return new InEntry(name, (Map.Entry<Object, Object>) object);
        }
        if (object instanceof Optional) {
            return new InOptional(name, (Optional<Object>) object);
        }
        if (object instanceof AtomicReference) {
            return new InReference(name, (AtomicReference<Object>) object);
        }
        return object instanceof Object[] array ? new Elements(name, array) : null;
    }

    @Override
    final Object container() {
        return held;
    }

    @Override
    final void replace(IdentityHashMap<Object, Object> by) {
        if (refersToAny(by)) {
            change(by);
        }
    }

    abstract void change(IdentityHashMap<Object, Object> by);

    /** A class of the user's own may mean more than its elements: only the JDK's are copied. */
    @Override
    final @Nullable Copy copy(IdentityHashMap<Object, Object> by) {
        return Jdk.isClass(held.getClass()) ? copyHeld(by) : null;
    }

    abstract @Nullable Copy copyHeld(IdentityHashMap<Object, Object> by);

    static Copy replaced(
            ReferencePlace inside, Object outside, IdentityHashMap<Object, Object> by) {
        inside.replace(by);
        return new Copy(outside, inside);
    }

    private static final class InList extends CollectionPlace<List<Object>> {

        InList(String name, List<Object> list) {
            super(name, list);
        }

        @Override
        List<@Nullable Object> values() {
            return new ArrayList<>(held);
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            List<Object> before = new ArrayList<>(held);
            for (int i = 0; i < before.size(); i++) {
                Object value = by.get(before.get(i));
                if (value != null) {
                    held.set(i, value);
                }
            }
        }

        @Override
        Copy copyHeld(IdentityHashMap<Object, Object> by) {
            List<Object> list = new ArrayList<>(held);
            return replaced(new InList(name(), list), Collections.unmodifiableList(list), by);
        }
    }

    private static final class InCollection extends CollectionPlace<Collection<Object>> {

        InCollection(String name, Collection<Object> collection) {
            super(name, collection);
        }

        @Override
        List<@Nullable Object> values() {
            return new ArrayList<>(held);
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            List<Object> before = new ArrayList<>(held);
            // The key set of a map can be cleared, map and all, but not filled again: adding what
            // is there tells the two apart. The values of a map are no Set and no Queue.
            if (held instanceof Set) {
                held.add(before.get(0));
            } else if (!(held instanceof Queue)) {
                throw new UnsupportedOperationException();
            }
            held.clear();
            try {
                before.forEach(value -> held.add(by.getOrDefault(value, value)));
            } catch (RuntimeException e) {
                held.clear();
                held.addAll(before);
                throw e;
            }
        }

        @Override
        @Nullable Copy copyHeld(IdentityHashMap<Object, Object> by) {
            if (held instanceof SortedSet) {
                return null;
            }
            if (held instanceof Set) {
                Set<Object> set = new LinkedHashSet<>(held);
                InCollection inside = new InCollection(name(), set);
                return replaced(inside, Collections.unmodifiableSet(set), by);
            }
            List<Object> list = new ArrayList<>(held);
            return replaced(new InList(name(), list), Collections.unmodifiableCollection(list), by);
        }
    }

    private static final class InMap extends CollectionPlace<Map<Object, Object>> {

        InMap(String name, Map<Object, Object> map) {
            super(name, map);
        }

        @Override
        List<@Nullable Object> values() {
            List<@Nullable Object> values = new ArrayList<>(held.keySet());
            values.addAll(held.values());
            return values;
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            held.replaceAll((key, value) -> by.getOrDefault(value, value));
            if (held.keySet().stream().anyMatch(by::containsKey)) {
                rekey(by);
            }
        }

        private void rekey(IdentityHashMap<Object, Object> by) {
            List<Map.Entry<Object, Object>> before = new ArrayList<>();
            held.forEach((key, value) -> before.add(new SimpleEntry<>(key, value)));
            held.clear();
            try {
                before.forEach(
                        e -> held.put(by.getOrDefault(e.getKey(), e.getKey()), e.getValue()));
            } catch (RuntimeException e) {
                held.clear();
                before.forEach(entry -> held.put(entry.getKey(), entry.getValue()));
                throw e;
            }
        }

        @Override
        Copy copyHeld(IdentityHashMap<Object, Object> by) {
            if (held instanceof SortedMap) {
                TreeMap<Object, Object> map = new TreeMap<>((SortedMap<Object, Object>) held);
                InMap inside = new InMap(name(), map);
                return replaced(inside, Collections.unmodifiableNavigableMap(map), by);
            }
            Map<Object, Object> map = new LinkedHashMap<>(held);
            return replaced(new InMap(name(), map), Collections.unmodifiableMap(map), by);
        }
    }

    private static final class InEntry extends CollectionPlace<Map.Entry<Object, Object>> {

        InEntry(String name, Map.Entry<Object, Object> entry) {
            super(name, entry);
        }

        @Override
        List<@Nullable Object> values() {
            return Collections.singletonList(held.getValue());
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            held.setValue(by.getOrDefault(held.getValue(), held.getValue()));
        }

        @Override
        Copy copyHeld(IdentityHashMap<Object, Object> by) {
            Map.Entry<Object, Object> entry = new SimpleEntry<>(held);
            return replaced(new InEntry(name(), entry), entry, by);
        }
    }

    private static final class InOptional extends CollectionPlace<Optional<Object>> {

        InOptional(String name, Optional<Object> optional) {
            super(name, optional);
        }

        @Override
        List<@Nullable Object> values() {
            return Collections.singletonList(held.orElse(null));
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            throw new UnsupportedOperationException();
        }

        @Override
        Copy copyHeld(IdentityHashMap<Object, Object> by) {
            return new Copy(held.map(value -> by.getOrDefault(value, value)), null);
        }
    }

    private static final class InReference extends CollectionPlace<AtomicReference<Object>> {

        InReference(String name, AtomicReference<Object> reference) {
            super(name, reference);
        }

        @Override
        List<@Nullable Object> values() {
            return Collections.singletonList(held.get());
        }

        @Override
        void change(IdentityHashMap<Object, Object> by) {
            held.updateAndGet(value -> by.getOrDefault(value, value));
        }

        @Override
        @Nullable Copy copyHeld(IdentityHashMap<Object, Object> by) {
            return null;
        }
    }
}
