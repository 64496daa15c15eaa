package io.peft4j.tuning.online;

/** A reward function that did not do what it should. */
public final class RewardException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Makes an exception.
     *
     * @param message what was expected, and what was found
     */
    public RewardException(String message) {
        super(message);
    }

    /**
     * Makes an exception.
     *
     * @param message what failed
     * @param cause what the function threw
     */
    public RewardException(String message, Throwable cause) {
        super(message, cause);
    }
}
