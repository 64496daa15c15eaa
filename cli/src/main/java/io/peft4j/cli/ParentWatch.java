package io.peft4j.cli;

import java.io.IOException;

/**
 * Interrupts a child process's work when its stdin ends: its parent wants it to stop, or is no
 * more.
 */
final class ParentWatch {

    private ParentWatch() {}

    /** Watches for the thread that calls this. */
    static void begin() {
        Thread worker = Thread.currentThread();
        Thread watch =
                new Thread(
                        () -> {
                            awaitEndOfInput();
                            worker.interrupt();
                        },
                        "parent-watch");
        watch.setDaemon(true);
        watch.start();
    }

    private static void awaitEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                // nothing is said to a child
            }
        } catch (IOException e) {
            // as good as its end
        }
    }
}
