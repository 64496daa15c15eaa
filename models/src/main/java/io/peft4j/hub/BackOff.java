package io.peft4j.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Waits between attempts: doubling, with jitter, and as long as the server asks. */
final class BackOff {

    private static final Logger LOG = LoggerFactory.getLogger(BackOff.class);

    private static final int RETRIES = 5;
    private static final int MOST_DOUBLINGS = 3;
    // the hub counts requests over windows of five minutes
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(5);

    private final Duration first;
    private int failures;

    BackOff(Duration first) {
        this.first = first;
    }

    /** Something that may fail in passing. */
    interface Attempt<T> {
        T run() throws IOException;
    }

    static <T> T retry(Duration first, Attempt<T> attempt) throws IOException {
        BackOff backOff = new BackOff(first);
        while (true) {
            try {
                return attempt.run();
            } catch (TransientFailure e) {
                backOff.pause(e);
            }
        }
    }

    /** Says that the last attempt brought something, so that all retries are left again. */
    void progressed() {
        failures = 0;
    }

    /** Waits for the next attempt. */
    void pause(TransientFailure failure) throws IOException {
        failures++;
        if (failures > RETRIES) {
            throw failure.lasting(", after " + failures + " attempts");
        }
        if (failure.waitAtLeast().compareTo(LONGEST_WAIT) > 0) {
            throw failure.lasting(
                    "; asked to wait " + failure.waitAtLeast().toSeconds() + " s, try later");
        }
        long millis = first.toMillis() << Math.min(failures - 1, MOST_DOUBLINGS);
        millis += ThreadLocalRandom.current().nextLong(millis / 4 + 1);
        millis = Math.max(millis, failure.waitAtLeast().toMillis());
        LOG.info("{}; trying again in {} ms", failure.getMessage(), millis);
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            InterruptedIOException interrupted =
                    new InterruptedIOException("interrupted while waiting for the hub");
            interrupted.initCause(e);
            throw interrupted;
        }
    }
}
