package io.peft4j.adapters;

/** An adapter's settings are wrong, or do not fit the model; the message says how. */
public final class AdapterConfigException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    /**
     * Creates an exception.
     *
     * @param message what was wrong, where, and what would be right
     */
    public AdapterConfigException(String message) {
        super(message);
    }

    /**
     * Creates an exception.
     *
     * @param message what was wrong, where, and what would be right
     * @param cause what found it
     */
    public AdapterConfigException(String message, Throwable cause) {
        super(message, cause);
    }
}
