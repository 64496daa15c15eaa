package io.peft4j.torch;

/**
 * A data type that an operation cannot take; the message says which one, where, and what would be
 * right.
 *
 * <p>DJL itself has no such exception: its PyTorch engine ends the process on a type that it lacks.
 */
public final class UnsupportedDtypeException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message which type, where, and what would be right
     */
    public UnsupportedDtypeException(String message) {
        super(message);
    }
}
