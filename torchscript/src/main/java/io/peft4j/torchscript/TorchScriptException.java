package io.peft4j.torchscript;

import java.io.IOException;

/** A file is no TorchScript archive that can be adapted; the message says which, and why. */
public final class TorchScriptException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * Creates the exception.
     *
     * @param message one line: the file, what is wrong with it, and what would be right
     */
    public TorchScriptException(String message) {
        super(message);
    }

    TorchScriptException(String message, Throwable cause) {
        super(message, cause);
    }
}
