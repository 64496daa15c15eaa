package io.peft4j.files;

import java.io.IOException;

/** A directory whose COMPLETE file is missing, or disagrees with the files beside it. */
public final class IncompleteDirectoryException extends IOException {

    private static final long serialVersionUID = 1L;

    IncompleteDirectoryException(String message) {
        super(message);
    }

    IncompleteDirectoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
