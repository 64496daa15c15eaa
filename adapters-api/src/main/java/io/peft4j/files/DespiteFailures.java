package io.peft4j.files;

/** Does something to each of several things, also if it fails for another, as closing files is. */
public final class DespiteFailures {

    private DespiteFailures() {}

    /**
     * Something that may fail.
     *
     * @param <T> what it is done to
     * @param <E> how it may fail
     */
    @FunctionalInterface
    public interface Action<T, E extends Exception> {
        /**
         * Does it.
         *
         * @param one one of several
         * @throws E if it fails
         */
        void on(T one) throws E;
    }

    /**
     * Does something to each in turn.
     *
     * @param all what it is done to
     * @param action what is done
     * @param <T> what it is done to
     * @param <E> how it may fail
     * @throws E the first failure, after all are done; others are suppressed in it
     */
    public static <T, E extends Exception> void each(
            Iterable<? extends T> all, Action<? super T, E> action) throws E {
        Exception failure = null;
        for (T one : all) {
            try {
                action.on(one);
            } catch (Exception e) { // an E, or unchecked
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            @SuppressWarnings("unchecked") // nothing is cast: an unchecked one goes through
            E declared = (E) failure;
            throw declared;
        }
    }
}
