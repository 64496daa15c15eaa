package io.peft4j.adapters;

/**
 * A scope of one thread in which certain adapters, or none, are in effect. Scopes nest; the
 * innermost counts. An adapter in a scope outlives its deletion until the scope is closed.
 */
public final class AdapterScope implements AutoCloseable {

    private final ActiveSet active;
    private final Activations activations;
    private final Thread thread = Thread.currentThread();
    private boolean open = true;

    AdapterScope(ActiveSet active, Activations activations) {
        this.active = active;
        this.activations = activations;
    }

    ActiveSet active() {
        return active;
    }

    /**
     * Ends the scope; a second call does nothing.
     *
     * @throws IllegalStateException if called from another thread than the one that opened it
     */
    @Override
    public void close() {
        if (!open) {
            return;
        }
        if (Thread.currentThread() != thread) {
            throw new IllegalStateException(
                    "this scope was opened in thread " + thread.getName() + "; close it there");
        }
        open = false;
        activations.close(this);
    }
}
