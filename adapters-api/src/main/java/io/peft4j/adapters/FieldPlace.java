package io.peft4j.adapters;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An accessible field of one object, or a static field. */
final class FieldPlace extends ReferencePlace {

    private final @Nullable Object owner;
    private final Field field;
    private final boolean writable;

    /**
     * Describes a field.
     *
     * @param owner the object, or null for a static field
     * @param field the field, already made accessible
     */
    FieldPlace(@Nullable Object owner, Field field) {
        super(name(field));
        this.owner = owner;
        this.field = field;
        String reason = fixed(field);
        writable = reason == null;
        if (reason != null) {
            refuse(reason);
        }
    }

    static String name(Field field) {
        return field.getDeclaringClass().getName() + "." + field.getName();
    }

    /** The JVM itself trusts the fields of lambdas and records never to change. */
    private static @Nullable String fixed(Field field) {
        if (Modifier.isStatic(field.getModifiers())) {
            return "a static field is shared beyond the block tree";
        }
        if (field.getDeclaringClass().isHidden()) {
            return "what a lambda has captured cannot change";
        }
        return field.getDeclaringClass().isRecord() ? "a record cannot change" : null;
    }

    @Override
    List<@Nullable Object> values() {
        return Collections.singletonList(value());
    }

    @Override
    void replace(IdentityHashMap<Object, Object> by) {
        Object value = by.get(value());
        if (value == null || !writable) {
            return;
        }
        if (!field.getType().isInstance(value)) {
            refuse(cannotHold("a field", field.getType(), value));
            return;
        }
        try {
            field.set(owner, value);
        } catch (IllegalAccessException e) {
            refuse(String.valueOf(e.getMessage()));
        }
    }

    private @Nullable Object value() {
        try {
            return field.get(owner);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(name() + " was made accessible, yet isn't", e);
        }
    }
}
