package io.peft4j.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * While it is open, a request to end the process (Ctrl-C, SIGTERM) interrupts the thread that
 * opened it and waits for it to close this, so that a training can write a last checkpoint.
 */
final class GracefulStop implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 60;

    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread hook;

    private GracefulStop(Thread worker) {
        hook =
                new Thread(
                        () -> {
                            worker.interrupt();
                            await();
                        },
                        "graceful-stop");
    }

    static GracefulStop begin() {
        GracefulStop stop = new GracefulStop(Thread.currentThread());
        Runtime.getRuntime().addShutdownHook(stop.hook);
        return stop;
    }

    private void await() {
        try {
            // an elapsed wait ends the process as a kill would, which files survive
            boolean unused = done.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        done.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // the process is ending already
        }
    }
}
