package io.peft4j.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Runs calls on a few threads; the first failure ends the others. */
final class ParallelCalls {

    private ParallelCalls() {}

    /**
     * Runs all calls and waits until no thread is at any of them, however they end.
     *
     * @param threads how many run at once
     * @param calls what to run
     * @return their results, in the order of the calls
     * @throws IOException the first failure
     */
    static <T> List<T> run(int threads, List<? extends Callable<T>> calls) throws IOException {
        if (calls.isEmpty()) {
            return List.of();
        }
        ExecutorService pool =
                Executors.newFixedThreadPool(
                        Math.min(threads, calls.size()),
                        task -> {
                            Thread thread = new Thread(task, "hub");
                            thread.setDaemon(true);
                            return thread;
                        });
        try {
            ExecutorCompletionService<T> running = new ExecutorCompletionService<>(pool);
            List<Future<T>> futures = new ArrayList<>();
            for (Callable<T> call : calls) {
                futures.add(running.submit(call));
            }
            for (int done = 0; done < futures.size(); done++) {
                running.take().get();
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : futures) {
                results.add(future.get());
            }
            return results;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while fetching from the hub");
        } catch (ExecutionException e) {
            throw failure(e);
        } finally {
            end(pool);
        }
    }

    private static void end(ExecutorService pool) {
        pool.shutdownNow();
        boolean interrupted = Thread.interrupted();
        while (!pool.isTerminated()) {
            try {
                pool.awaitTermination(1, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static IOException failure(ExecutionException failed) {
        Throwable cause = failed.getCause();
        if (cause instanceof RuntimeException e) {
            throw e;
        }
        if (cause instanceof Error e) {
            throw e;
        }
        return cause instanceof IOException e ? e : new IOException(cause);
    }
}
