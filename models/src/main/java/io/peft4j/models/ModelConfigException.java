package io.peft4j.models;

/**
 * A {@code config.json} that lacks something, contradicts itself, or describes a model that this
 * library does not have; the message names the file and the key.
 */
public final class ModelConfigException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    ModelConfigException(String message) {
        super(message);
    }
}
