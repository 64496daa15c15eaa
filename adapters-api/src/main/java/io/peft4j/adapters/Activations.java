package io.peft4j.adapters;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;

/** Which adapters are in effect: for all threads, and within the scopes of one thread. */
final class Activations {

    private final ThreadLocal<Deque<AdapterScope>> scopes =
            ThreadLocal.withInitial(ArrayDeque::new);
    private final AtomicInteger openScopes = new AtomicInteger();
    private volatile ActiveSet everywhere = ActiveSet.NONE;

    ActiveSet everywhere() {
        return everywhere;
    }

    void set(ActiveSet active) {
        everywhere = active;
    }

    /**
     * Opens a scope of this thread, which counts instead of what is set until it is closed.
     *
     * @param active what is in effect in it, held for the scope
     */
    AdapterScope open(ActiveSet active) {
        AdapterScope scope = new AdapterScope(active, this);
        scopes.get().push(scope);
        opened();
        return scope;
    }

    /** Counts a choice of adapters that is made, in a scope or for rows. */
    void opened() {
        openScopes.incrementAndGet();
    }

    /** Counts one that has ended. */
    void closed() {
        openScopes.decrementAndGet();
    }

    /** Ends a scope of this thread. */
    void close(AdapterScope scope) {
        scopes.get().remove(scope);
        closed();
        scope.active().release();
    }

    /** The number of open scopes of all threads. */
    int openScopes() {
        return openScopes.get();
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
