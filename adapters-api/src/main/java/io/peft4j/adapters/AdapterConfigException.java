package io.peft4j.adapters;

/** A configuration that contradicts itself or does not fit the model; the message says how. */
public final class AdapterConfigException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message what was wrong, where, and what would be right
     */
    public AdapterConfigException(String message) {
        super(message);
    }

    /**
     * Creates the exception.
     *
     * @param message what was wrong, where, and what would be right
     * @param cause what led to it
     */
    public AdapterConfigException(String message, Throwable cause) {
        super(message, cause);
    }
}
