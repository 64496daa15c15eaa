package io.peft4j.torch;

import java.lang.reflect.Field;
import org.jspecify.annotations.Nullable;

/** Private fields of DJL 0.36.0 that say what no method says. */
final class DjlFields {

    private DjlFields() {}

    static Field field(Class<?> type, String name) {
        try {
            Field field = type.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException(
                    "expected DJL 0.36.0, whose "
                            + type.getSimpleName()
                            + " has a field "
                            + name
                            + ", but found another version",
                    e);
        }
    }

    static @Nullable Object read(Field field, @Nullable Object object) {
        try {
            return field.get(object);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e); // it was made accessible
        }
    }

    static void write(Field field, Object object, Object value) {
        try {
            field.set(object, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e); // it was made accessible
        }
    }
}
