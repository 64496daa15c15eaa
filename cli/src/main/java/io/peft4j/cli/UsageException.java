package io.peft4j.cli;

/** The request was wrong: a flag's value, or flags and files that contradict each other. */
final class UsageException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }
}
