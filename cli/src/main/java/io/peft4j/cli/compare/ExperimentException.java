package io.peft4j.cli.compare;

/** The experiment that was asked for contradicts what its directory holds. */
public final class ExperimentException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    ExperimentException(String message) {
        super(message);
    }
}
