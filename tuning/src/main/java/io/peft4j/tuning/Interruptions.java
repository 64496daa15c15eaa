package io.peft4j.tuning;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

/**
 * Writes files in spite of an interrupt: a channel that is used by an interrupted thread closes.
 */
public final class Interruptions {

    private static final int TRIES = 3;

    private Interruptions() {}

    /** Writes or reads files, and may be run again from its beginning. */
    public interface FileAccess {
        /**
         * Writes or reads.
         *
         * @throws IOException if it fails
         */
        void run() throws IOException;
    }

    /**
     * Runs something that may be run again from its beginning; an interrupt is kept for later.
     *
     * @param access what to run
     * @throws IOException as what is run
     */
    public static void hold(FileAccess access) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            for (int attempt = 1; ; attempt++) {
                try {
                    access.run();
                    return;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                    if (attempt == TRIES) {
                        throw e;
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
