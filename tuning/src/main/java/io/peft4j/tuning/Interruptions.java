package io.peft4j.tuning;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;

/**
 * Writes files in spite of an interrupt: a channel that is used by an interrupted thread closes.
 */
final class Interruptions {

    private static final int TRIES = 3;

    private Interruptions() {}

    interface FileAccess {
        void run() throws IOException;
    }

    /** Runs something that may be run again from its beginning; the interrupt is kept for later. */
    static void hold(FileAccess access) throws IOException {
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
