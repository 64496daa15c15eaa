package io.peft4j.hub;

import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A failure that may be gone at the next attempt. */
final class TransientFailure extends IOException {

    private static final long serialVersionUID = 1L;

    private final HubException.Reason reason;
    private final Duration wait;

    TransientFailure(HubException.Reason reason, @Nullable String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
        wait = Duration.ZERO;
    }

    /**
     * Makes a failure of an answer.
     *
     * @param reason what the failure is called when no attempt is left
     * @param message what happened
     * @param wait how long the server asks to wait at least
     */
    TransientFailure(HubException.Reason reason, String message, Duration wait) {
        super(message);
        this.reason = reason;
        this.wait = wait;
    }

    Duration waitAtLeast() {
        return wait;
    }

    HubException lasting(String detail) {
        return new HubException(reason, getMessage() + detail, this);
    }
}
