package io.peft4j.tuning;

import java.io.IOException;

/**
 * A training or evaluation file with a row that cannot be used; the message names file and line.
 */
public final class DatasetException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * Refuses a row or a file.
     *
     * @param message what is wrong and where
     */
    public DatasetException(String message) {
        super(message);
    }

    DatasetException(String message, Throwable cause) {
        super(message, cause);
    }
}
