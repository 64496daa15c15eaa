package io.peft4j.models;

import java.io.IOException;

/** A tokenizer's files are damaged, or of a kind that is not read; the message names the file. */
public final class TokenizerException extends IOException {

    private static final long serialVersionUID = 1L;

    TokenizerException(String message) {
        super(message);
    }

    TokenizerException(String message, Throwable cause) {
        super(message, cause);
    }
}
