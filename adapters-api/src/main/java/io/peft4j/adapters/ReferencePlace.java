package io.peft4j.adapters;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A place in memory that refers to objects: a field, an array, a collection. */
abstract class ReferencePlace {

    private final String name;
    private @Nullable String refusal;

    ReferencePlace(String name) {
        this.name = name;
    }

    /** An equal object that holds the replacements, and the place behind it if it has one. */
    record Copy(Object object, @Nullable ReferencePlace place) {}

    /** Lists what the place refers to now. */
    abstract List<@Nullable Object> values();

    /**
     * Puts another object wherever the place refers to a key.
     *
     * @param by the objects by identity
     * @throws UnsupportedOperationException if the place cannot change; nothing has changed then
     */
    abstract void replace(IdentityHashMap<Object, Object> by);

    /** Returns the object that the place is the inside of, or null for a field. */
    @Nullable Object container() {
        return null;
    }

    /** Copies a container that cannot change, or returns null if no copy could stand for it. */
    @Nullable Copy copy(IdentityHashMap<Object, Object> by) {
        return null;
    }

    final boolean refersToAny(IdentityHashMap<Object, Object> by) {
        return values().stream().anyMatch(by::containsKey);
    }

    final String name() {
        return name;
    }

    final void refuse(String reason) {
        refusal = reason;
    }

    final String refusal() {
        return refusal == null ? "it changed while references were replaced" : refusal;
    }

    static String cannotHold(String place, Class<?> type, Object value) {
        return String.format(
                Locale.ROOT,
                "%s of type %s cannot hold a %s",
                place,
                type.getName(),
                value.getClass().getName());
    }

    /** The elements of an array. */
    static final class Elements extends ReferencePlace {

        private final Object[] array;

        Elements(String name, Object[] array) {
            super(name);
            this.array = array;
        }

        @Override
        Object container() {
            return array;
        }

        @Override
        List<@Nullable Object> values() {
            return Collections.unmodifiableList(new ArrayList<>(Arrays.asList(array)));
        }

        @Override
        void replace(IdentityHashMap<Object, Object> by) {
            Class<?> type = array.getClass().getComponentType();
            for (int i = 0; i < array.length; i++) {
                Object value = by.get(array[i]);
                if (value != null && type.isInstance(value)) {
                    array[i] = value;
                } else if (value != null) {
                    refuse(cannotHold("an array", type, value));
                }
            }
        }
    }
}
