package io.peft4j.torchscript;

import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which modules' code reads which weights. A trace may leave a weight in the archive that nothing
 * reads, as one side of a tied pair, and an adapter of it would do nothing without a word.
 *
 * <p>Followed are chains of attributes from a method's own module, through local names.
 */
final class WeightReads {

    private static final Pattern CHAIN =
            Pattern.compile("(?<![\\w.)\"])([A-Za-z_]\\w*+)((?:\\.\\w++)*+)");
    private static final Pattern ASSIGNMENT = Pattern.compile("^ *+([A-Za-z_]\\w*+) = (.*)$");

    private record Slot(PickledObject module, String name) {

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Slot slot && slot.module == module && slot.name.equals(name);
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(module) * 31 + name.hashCode();
        }
    }

    /** Many modules of one long class would take forever. */
    private static final long MAX_TEXT = 100_000_000;

    private final Map<Slot, Set<PickledObject>> readers = new HashMap<>();

    /** Finds the class of an object. */
    interface Classes {
        ClassText of(PickledObject object) throws TorchScriptException;
    }

    static WeightReads of(String where, Iterable<PickledObject> modules, Classes classes)
            throws TorchScriptException {
        WeightReads reads = new WeightReads();
        long text = 0;
        IdentityHashMap<PickledObject, Boolean> done = new IdentityHashMap<>();
        for (PickledObject module : modules) {
            if (done.put(module, true) == null) {
                text += classes.of(module).text().length();
                if (text > MAX_TEXT) {
                    throw new TorchScriptException(
                            where
                                    + ": the code of its modules is longer than "
                                    + MAX_TEXT
                                    + " letters");
                }
                for (ClassText.Method method : classes.of(module).methods()) {
                    reads.follow(module, method);
                }
            }
        }
        return reads;
    }

    /** The modules whose code reads a weight; empty if nothing does. */
    Set<PickledObject> readersOf(PickledObject module, String name) {
        return readers.getOrDefault(new Slot(module, name), Set.of());
    }

    private void follow(PickledObject module, ClassText.Method method) {
        Map<String, PickledObject> names = new HashMap<>();
        names.put(method.self(), module);
        String text = ClassText.chains(method.text());
        for (int from = 0, to; from <= text.length(); from = to + 1) {
            to = text.indexOf('\n', from) < 0 ? text.length() : text.indexOf('\n', from);
            String line = text.substring(from, to);
            Matcher assignment = ASSIGNMENT.matcher(line);
            String expression = assignment.matches() ? assignment.group(2) : line;
            Matcher chain = CHAIN.matcher(expression);
            PickledObject whole = null;
            while (chain.find()) {
                PickledObject start = names.get(chain.group(1));
                if (start != null) {
                    PickledObject end = walk(module, start, chain.group(2));
                    whole = chain.end() - chain.start() == expression.length() ? end : null;
                }
            }
            if (assignment.matches()) {
                if (whole == null) {
                    names.remove(assignment.group(1));
                } else {
                    names.put(assignment.group(1), whole);
                }
            }
        }
    }

    private @Nullable PickledObject walk(
            PickledObject reader, PickledObject start, String attributes) {
        PickledObject at = start;
        for (String name : attributes.split("\\.", -1)) {
            if (name.isEmpty()) {
                continue;
            }
            Object value = at.attributes().get(name);
            if (value instanceof PickledObject next) {
                at = next;
            } else {
                if (value instanceof StoredTensor) {
                    readers.computeIfAbsent(new Slot(at, name), slot -> new HashSet<>())
                            .add(reader);
                }
                return null;
            }
        }
        return at;
    }
}
