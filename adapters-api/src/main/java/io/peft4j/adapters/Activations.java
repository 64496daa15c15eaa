package io.peft4j.adapters;

import java.util.ArrayDeque;
import java.util.Deque;

/** Which adapters are in effect: for all threads, and within the scopes of one thread. */
final class Activations {

    private final ThreadLocal<Deque<AdapterScope>> scopes =
            ThreadLocal.withInitial(ArrayDeque::new);
    private volatile ActiveSet everywhere = ActiveSet.NONE;

    ActiveSet everywhere() {
        return everywhere;
    }

    void set(ActiveSet active) {
        everywhere = active;
    }

    /** Opens a scope of this thread, which counts instead of what is set until it is closed. */
    AdapterScope open(ActiveSet active) {
        Deque<AdapterScope> mine = scopes.get();
        AdapterScope scope = new AdapterScope(active, mine);
        mine.push(scope);
        return scope;
    }

    ActiveSet current() {
        AdapterScope innermost = scopes.get().peek();
        return innermost == null ? everywhere : innermost.active();
    }

    /** Takes a hold on what is in effect, so that it is not freed in use; to be released. */
    ActiveSet hold() {
        while (true) {
            ActiveSet active = current();
            if (active.hold()) {
                return active;
            }
            Thread.onSpinWait(); // deleted this moment: what is set has changed already
        }
    }
}
