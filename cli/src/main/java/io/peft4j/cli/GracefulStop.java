package io.peft4j.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * While it is open, a request to end the process (Ctrl-C, SIGTERM) interrupts the thread that
 * opened it and waits until the command has reported, so that a training can write a last
 * checkpoint and say where.
 */
final class GracefulStop implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 60;
    private static final CountDownLatch REPORTED = new CountDownLatch(1);

    private final Thread hook;

    private GracefulStop(Thread worker) {
        hook =
                new Thread(
                        () -> {
                            worker.interrupt();
                            awaitReport();
                        },
                        "graceful-stop");
    }

    static GracefulStop begin() {
        GracefulStop stop = new GracefulStop(Thread.currentThread());
        Runtime.getRuntime().addShutdownHook(stop.hook);
        return stop;
    }

    /** Lets the process end: the command has said all it had to say. */
    static void reported() {
        REPORTED.countDown();
    }

    private static void awaitReport() {
        try {
            // when the wait is over the process ends as by a kill, which files survive
            boolean unused = REPORTED.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // the process is ending already
        }
    }
}
