package io.peft4j.hub;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A model or adapter that the hub, its answers or the cache could not give. */
public final class HubException extends IOException {

    private static final long serialVersionUID = 1L;

    /** What was wrong; the list is closed. */
    public enum Reason {
        /** Not a name of the form {@code org/name} or {@code org/name@revision}. */
        INVALID_NAME,
        /** No such repository, or a private one and no token that may see it. */
        NO_REPOSITORY,
        /** The repository has no such branch, tag or commit. */
        NO_REVISION,
        /** A file that the hub lists but does not give. */
        NO_FILE,
        /** Neither a model nor an adapter, or one without a file that it needs. */
        NO_MODEL,
        /** Weights as Python pickles only, which run code when they are loaded. */
        PICKLE,
        /** The hub wants a token, or refuses the one it got. */
        UNAUTHORIZED,
        /** A repository whose terms must be accepted on its page first. */
        GATED,
        /** Too many requests; the hub says when the next is welcome. */
        RATE_LIMITED,
        /** The hub answered with an error of its own, after all retries. */
        SERVER_ERROR,
        /** No connection, or no data in time, after all retries. */
        UNREACHABLE,
        /** An answer that is not the hub's protocol. */
        PROTOCOL,
        /** Another number of bytes than announced. */
        SIZE_MISMATCH,
        /** Bytes whose hash is not the announced one; they were removed. */
        HASH_MISMATCH,
        /** The cache's disk has too little space. */
        DISK_FULL,
        /** Offline, and the cache lacks the repository or a part of it. */
        NOT_CACHED
    }

    private final Reason reason;

    HubException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    HubException(Reason reason, @Nullable String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /**
     * Returns what was wrong.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
