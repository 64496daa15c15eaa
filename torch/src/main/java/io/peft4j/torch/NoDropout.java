package io.peft4j.torch;

/**
 * A scope of one thread in which adapters drop nothing in training, whatever their settings say, as
 * where two passes are compared that are to differ in their parameters alone. Scopes nest.
 */
public final class NoDropout implements AutoCloseable {

    private static final ThreadLocal<Integer> OPEN = ThreadLocal.withInitial(() -> 0);

    private boolean open = true;

    private NoDropout() {}

    /**
     * Opens a scope.
     *
     * @return the scope; close it on this thread
     */
    public static NoDropout begin() {
        OPEN.set(OPEN.get() + 1);
        return new NoDropout();
    }

    /**
     * Tells whether this thread is in a scope.
     *
     * @return whether nothing is dropped
     */
    public static boolean isOn() {
        return OPEN.get() > 0;
    }

    /** Ends the scope; a second call does nothing. */
    @Override
    public void close() {
        if (open) {
            open = false;
            OPEN.set(OPEN.get() - 1);
        }
    }
}
