package io.peft4j.models;

/**
 * Token ids or labels that a model cannot take: outside its vocabulary, longer than its context, or
 * not of the shape of the other inputs. The message says what was expected and found, and where.
 */
public final class InvalidTokensException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    InvalidTokensException(String message) {
        super(message);
    }
}
