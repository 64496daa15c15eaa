package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;

/** Every object that a block tree refers to, by the way that leads there. */
final class TreeSnapshot {

    private final Block root;
    private final Map<String, Object> objects = new LinkedHashMap<>();
    private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());

    private TreeSnapshot(Block root) throws IllegalAccessException {
        this.root = root;
        look("root", root);
    }

    static TreeSnapshot of(Block root) throws IllegalAccessException {
        return new TreeSnapshot(root);
    }

    void assertUnchanged() throws IllegalAccessException {
        Map<String, Object> now = of(root).objects;
        assertThat(now.keySet()).containsExactlyElementsOf(objects.keySet());
        objects.forEach((path, object) -> assertThat(now.get(path)).as(path).isSameAs(object));
    }

    private void look(String path, Object object) throws IllegalAccessException {
        if (object == null) {
            return;
        }
        objects.put(path + ": " + object.getClass().getName(), object);
        if (!seen.add(object)) {
            return;
        }
        int i = 0;
        for (Object inside : inside(object)) {
            look(path + "[" + i++ + "]", inside);
        }
        boolean own = object.getClass().getName().startsWith("io.peft4j.");
        if (object instanceof Block || object instanceof PairList || own) {
            for (Class<?> k = object.getClass(); k != Object.class; k = k.getSuperclass()) {
                lookAtFields(path, object, k);
            }
        }
    }

    private void lookAtFields(String path, Object object, Class<?> declaring)
            throws IllegalAccessException {
        if (declaring.getName().startsWith("java.")) {
            return;
        }
        for (Field field : declaring.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()) {
                field.setAccessible(true);
                look(path + "." + field.getName(), field.get(object));
            }
        }
    }

    private static Collection<?> inside(Object object) {
        if (object instanceof Collection<?> collection) {
            return collection;
        }
        if (object instanceof Map<?, ?> map) {
            List<Object> both = new ArrayList<>(map.keySet());
            both.addAll(map.values());
            return both;
        }
        if (object instanceof Map.Entry<?, ?> entry) {
            return Collections.singletonList(entry.getValue());
        }
        if (object instanceof Optional<?> optional) {
            return optional.stream().toList();
        }
        if (object instanceof AtomicReference<?> reference) {
            return Collections.singletonList(reference.get());
        }
        return object instanceof Object[] array ? Arrays.asList(array) : List.of();
    }
}
