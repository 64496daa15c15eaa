package io.peft4j.models;

import java.io.IOException;

/**
 * A model directory whose tensors are not those that its {@code config.json} describes; the message
 * lists what is missing, unexpected or of another shape, all at once.
 */
public final class CheckpointException extends IOException {

    private static final long serialVersionUID = 1L;

    CheckpointException(String message) {
        super(message);
    }
}
