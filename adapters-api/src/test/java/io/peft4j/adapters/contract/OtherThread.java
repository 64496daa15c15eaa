package io.peft4j.adapters.contract;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** One more thread, the same for all that it is asked to do. */
final class OtherThread implements AutoCloseable {

    private final ExecutorService thread = Executors.newSingleThreadExecutor();

    <T> T call(Callable<T> task) throws Exception {
        return thread.submit(task).get(1, TimeUnit.MINUTES);
    }

    void run(Runnable task) throws Exception {
        thread.submit(task).get(1, TimeUnit.MINUTES);
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
