package io.peft4j.adapters;

import ai.djl.nn.Block;
import io.peft4j.files.DespiteFailures;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Puts other blocks in place of some of a tree's blocks, wherever the tree refers to them.
 *
 * <p>A DJL block keeps its children twice: in {@code children}, and in fields of its own that its
 * forward method reads. Both must change, or the new block is trained and never called. {@link
 * ReferenceSearch} says where is looked. What lies there is changed in place if it can be; an
 * unmodifiable collection gives way to an unmodifiable copy of the same order, one copy for all
 * that share it.
 *
 * <p>Some places can't be changed (what a lambda captured, records, static fields, fields of
 * another type, closed modules): {@link #unreached()} lists those that refer to an old block. A
 * block held where nothing can look, as in a lambda that the JDK itself made ({@code
 * Function.andThen}), is known only by its still being called.
 *
 * <p>Not thread-safe: nothing else may use the tree meanwhile.
 */
final class BlockReferences {

    /**
     * A place that still refers to an old block.
     *
     * @param block the old block
     * @param place the field or the collection's class
     * @param reason why it was left
     */
    record Unreached(Block block, String place, String reason) {}

    private record Change(ReferencePlace place, IdentityHashMap<Object, Object> back) {}

    private final IdentityHashMap<Object, Object> blocks = new IdentityHashMap<>();
    private final IdentityHashMap<Object, Object> replacements = new IdentityHashMap<>();
    private final IdentityHashMap<Object, Object> originals = new IdentityHashMap<>();
    private final Deque<Change> changes = new ArrayDeque<>();
    private final IdentityHashMap<Block, Integer> replaced = new IdentityHashMap<>();
    private final Set<ReferencePlace> changed = new HashSet<>();
    private final List<Unreached> unreached = new ArrayList<>();

    private BlockReferences(Map<? extends Block, ? extends Block> newBlocks) {
        newBlocks.forEach(blocks::put);
        Set<Object> distinct = identitySet();
        for (Object block : blocks.values()) {
            if (!distinct.add(block) || blocks.containsKey(block)) {
                throw new IllegalArgumentException(
                        "expected a new block of its own for every old block, but one "
                                + block.getClass().getName()
                                + " stands for two or is itself replaced");
            }
        }
    }

    /**
     * Replaces blocks: all the references that can be, or none if an exception is thrown.
     *
     * @param root the top of the tree; itself it stays
     * @param newBlocks the new blocks by old block, compared by identity; neither are searched, and
     *     each new block should be an instance of the old block's class, since the type that a
     *     collection was declared with is not known here
     * @return what was done, and the way back
     * @throws IllegalArgumentException if a new block stands for two old ones or is an old one
     */
    static BlockReferences replace(Block root, Map<? extends Block, ? extends Block> newBlocks) {
        BlockReferences references = new BlockReferences(newBlocks);
        try {
            references.apply(root);
        } catch (RuntimeException | Error e) {
            try {
                references.undo();
            } catch (RuntimeException failure) {
                e.addSuppressed(failure);
            }
            throw e;
        }
        return references;
    }

    /**
     * Counts the references to an old block that were replaced, each place once.
     *
     * @param block the old block
     * @return the count, 0 if none was found or none could be replaced
     */
    int replaced(Block block) {
        return replaced.getOrDefault(block, 0);
    }

    /** Lists the references to old blocks that were found and had to stay. */
    List<Unreached> unreached() {
        return Collections.unmodifiableList(unreached);
    }

    /**
     * Puts every old block back, and the very collections that copies had stood for. What else has
     * changed since stays changed; a second call does nothing.
     */
    void undo() {
        List<Change> last = List.copyOf(changes); // the last one first
        changes.clear();
        DespiteFailures.each(last, change -> change.place.replace(change.back));
    }

    /**
     * Each round replaces what the one before has made: first blocks, then copies of collections.
     */
    private void apply(Block root) {
        Set<Object> ends = identitySet();
        ends.addAll(blocks.keySet());
        ends.addAll(blocks.values());
        ReferenceSearch search = new ReferenceSearch(root, ends);
        List<ReferencePlace> places = new ArrayList<>(search.places());
        IdentityHashMap<Object, Object> round = blocks;
        while (!round.isEmpty()) {
            replacements.putAll(round);
            IdentityHashMap<Object, Object> back = new IdentityHashMap<>();
            round.forEach((before, after) -> back.put(after, before));
            originals.putAll(back);
            round = copies(replaceInPlace(places, round, back), round, places);
        }
        tally(search);
        if (blocks.containsKey(root)) {
            unreached.add(new Unreached(root, "the root", "nothing in the tree refers to it"));
        }
    }

    /** Returns the places that refused. */
    private List<ReferencePlace> replaceInPlace(
            List<ReferencePlace> places,
            IdentityHashMap<Object, Object> round,
            IdentityHashMap<Object, Object> back) {
        List<ReferencePlace> refused = new ArrayList<>();
        for (ReferencePlace place : places) {
            if (isCopied(place) || !place.refersToAny(round)) {
                continue;
            }
            changes.push(new Change(place, back));
            try {
                place.replace(round);
                changed.add(place);
            } catch (UnsupportedOperationException e) {
                place.replace(back);
                refused.add(place);
            } catch (ClassCastException e) { // a checked collection, a sorted one
                place.replace(back);
                place.refuse(String.valueOf(e.getMessage()));
            }
        }
        return refused;
    }

    /** Copies what refused, unless it is the view of a collection that has changed since. */
    private static IdentityHashMap<Object, Object> copies(
            List<ReferencePlace> refused,
            IdentityHashMap<Object, Object> round,
            List<ReferencePlace> places) {
        IdentityHashMap<Object, Object> copies = new IdentityHashMap<>();
        for (ReferencePlace place : refused) {
            Object container = place.container();
            if (container == null || !place.refersToAny(round)) {
                continue;
            }
            ReferencePlace.Copy copy = place.copy(round);
            if (copy == null) {
                place.refuse(container.getClass().getName() + " refuses to be changed");
                continue;
            }
            copies.put(container, copy.object());
            if (copy.place() != null) {
                places.add(copy.place());
            }
        }
        return copies;
    }

    private boolean isCopied(ReferencePlace place) {
        Object container = place.container();
        return container != null && replacements.containsKey(container);
    }

    private void tally(ReferenceSearch search) {
        Set<Object> counted = identitySet();
        for (ReferencePlace place : search.places()) {
            if (!isCopied(place)) {
                place.values().forEach(value -> tally(place, value, counted));
            }
        }
        for (ReferencePlace place : search.statics()) {
            leave(place, place.values());
        }
        for (ReferenceSearch.ClosedField field : search.closed()) {
            for (Block child : field.owner().getChildren().values()) {
                Block block = (Block) originals.getOrDefault(child, child);
                if (blocks.containsKey(block) && mayHold(field.field().getType(), block)) {
                    String name = FieldPlace.name(field.field());
                    unreached.add(new Unreached(block, name, field.reason()));
                }
            }
        }
    }

    private void tally(ReferencePlace place, @Nullable Object value, Set<Object> counted) {
        if (value == null) {
            return;
        }
        Object original = originals.get(value);
        if (original instanceof Block block) {
            if (changed.contains(place)) { // not the view of one that has changed
                replaced.merge(block, 1, Integer::sum);
            }
        } else if (original != null && counted.add(original)) {
            inside(value).forEach(element -> tally(place, element, counted));
        } else if (original == null && replacements.containsKey(value)) {
            leave(place, Collections.singletonList(value));
        }
    }

    private void leave(ReferencePlace place, Collection<@Nullable Object> values) {
        List<Block> held = new ArrayList<>();
        collectOld(values, held, identitySet());
        held.forEach(block -> unreached.add(new Unreached(block, place.name(), place.refusal())));
    }

    private void collectOld(
            Collection<@Nullable Object> values, List<Block> held, Set<Object> seen) {
        for (Object value : values) {
            if (value instanceof Block block && blocks.containsKey(block)) {
                held.add(block);
            } else if (value != null && seen.add(value)) {
                collectOld(inside(value), held, seen);
            }
        }
    }

    private static Collection<@Nullable Object> inside(Object value) {
        ReferencePlace place = CollectionPlace.of("", value);
        return place == null ? Collections.<@Nullable Object>emptyList() : place.values();
    }

    private static Set<Object> identitySet() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    /** A closed field can't be read; its type says whether it may refer to a block. */
    private static boolean mayHold(Class<?> type, Block block) {
        return type.isInstance(block)
                || (type.isArray() && !type.getComponentType().isPrimitive())
                || Iterable.class.isAssignableFrom(type)
                || Map.class.isAssignableFrom(type);
    }
}
