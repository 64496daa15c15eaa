package io.peft4j.models;

/**
 * There is no chat template, or it refuses a conversation, or it cannot be rendered; the message
 * says why.
 */
public final class ChatTemplateException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    ChatTemplateException(String message) {
        super(message);
    }

    ChatTemplateException(String message, Throwable cause) {
        super(message, cause);
    }
}
