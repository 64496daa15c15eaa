package io.peft4j.text;

import java.io.IOException;

/** A JSON text that breaks the rules of {@link StrictJson}; the message names file and rule. */
public final class StrictJsonException extends IOException {

    private static final long serialVersionUID = 1L;

    StrictJsonException(String message) {
        super(message);
    }

    StrictJsonException(String message, Throwable cause) {
        super(message, cause);
    }
}
