package io.peft4j.adapters;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDResource;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.lang.reflect.Field;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;

/**
 * Finds the places below a block that may refer to other blocks, changing nothing.
 *
 * <p>It goes through the fields of every block, through arrays and collections, what lambdas have
 * captured, and objects of other classes up to {@value #HOLDERS} of them away from a block. What
 * DJL and the JDK keep inside other classes is left alone.
 */
final class ReferenceSearch {

    private static final int HOLDERS = 4;

    /** What a block may point at but never through: resources, and doors to the whole program. */
    private static final List<Class<?>> ENDS =
            List.of(
                    NDResource.class,
                    NDManager.class,
                    Model.class,
                    Engine.class,
                    ParameterStore.class,
                    Enum.class,
                    Thread.class,
                    ClassLoader.class,
                    Logger.class);

    /** A block's field that the module of its class keeps closed. */
    record ClosedField(Block owner, Field field, String reason) {}

    private final IdentityHashMap<Object, Integer> distances = new IdentityHashMap<>();
    private final IdentityHashMap<Object, List<ReferencePlace>> placesOf = new IdentityHashMap<>();
    private final Deque<Object> waiting = new ArrayDeque<>();
    private final Set<Class<?>> staticsSeen = new HashSet<>();
    private final List<ReferencePlace> places = new ArrayList<>();
    private final List<ReferencePlace> statics = new ArrayList<>();
    private final List<ClosedField> closed = new ArrayList<>();

    /**
     * Searches a tree.
     *
     * @param root where to begin
     * @param ends objects, by identity, that are not searched themselves
     */
    ReferenceSearch(Block root, Set<?> ends) {
        ends.forEach(end -> distances.put(end, -1));
        meet(root, 0);
        while (!waiting.isEmpty()) {
            Object object = waiting.remove();
            int distance = distances.getOrDefault(object, 0);
            List<ReferencePlace> inside = placesOf.get(object);
            if (inside == null) {
                inside = look(object);
                placesOf.put(object, inside);
                places.addAll(inside);
            }
            inside.forEach(place -> place.values().forEach(value -> meet(value, distance)));
        }
    }

    /** The places that were found, in the order of the search. */
    List<ReferencePlace> places() {
        return Collections.unmodifiableList(places);
    }

    /** The static fields of the classes that were met; what they refer to was not searched. */
    List<ReferencePlace> statics() {
        return Collections.unmodifiableList(statics);
    }

    List<ClosedField> closed() {
        return Collections.unmodifiableList(closed);
    }

    /** An object met again nearer to a block is searched again, as more lies within reach. */
    private void meet(@Nullable Object object, int from) {
        if (object == null || !isSearched(object)) {
            return;
        }
        int distance = from;
        if (object instanceof Block) {
            distance = 0;
        } else if (CollectionPlace.of("", object) == null) {
            distance++;
        }
        if (distance <= HOLDERS && distance < distances.getOrDefault(object, HOLDERS + 1)) {
            distances.put(object, distance);
            waiting.add(object);
        }
    }

    private static boolean isSearched(Object object) {
        if (object instanceof Block || object.getClass().isHidden()) {
            return true;
        }
        if (ENDS.stream().anyMatch(end -> end.isInstance(object))) {
            return false;
        }
        if (CollectionPlace.of("", object) != null
                || object instanceof PairList
                || object instanceof Pair) {
            return true;
        }
        return !Jdk.isClass(object.getClass()) && !isDjl(object.getClass());
    }

    private static boolean isDjl(Class<?> type) {
        return type.getName().startsWith("ai.djl.");
    }

    private List<ReferencePlace> look(Object object) {
        List<ReferencePlace> inside = new ArrayList<>();
        Class<?> type = object.getClass();
        ReferencePlace elements = CollectionPlace.of("an element of " + type.getName(), object);
        if (elements != null) {
            inside.add(elements);
        }
        while (type != null && !type.isArray() && !Jdk.isClass(type)) {
            for (Field field : type.getDeclaredFields()) {
                if (!field.getType().isPrimitive() && !Modifier.isStatic(field.getModifiers())) {
                    look(object, field, inside);
                }
            }
            if (!isDjl(type) && staticsSeen.add(type)) {
                lookAtStatics(type);
            }
            type = type.getSuperclass();
        }
        return inside;
    }

    private void look(Object object, Field field, List<ReferencePlace> inside) {
        try {
            field.setAccessible(true);
            inside.add(new FieldPlace(object, field));
        } catch (InaccessibleObjectException e) {
            if (object instanceof Block block) {
                closed.add(new ClosedField(block, field, String.valueOf(e.getMessage())));
            }
        }
    }

    private void lookAtStatics(Class<?> type) {
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())
                    && !field.getType().isPrimitive()
                    && field.trySetAccessible()) {
                statics.add(new FieldPlace(null, field));
            }
        }
    }
}
