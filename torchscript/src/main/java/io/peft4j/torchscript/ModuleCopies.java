package io.peft4j.torchscript;

import io.peft4j.torch.ScriptModule;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Copies of a module that have the module's own tensors, so that several threads can compute with
 * adapters at once. Each copy is used by one thread at a time.
 */
final class ModuleCopies implements AutoCloseable {

    private final Queue<ScriptModule> free = new ConcurrentLinkedQueue<>();
    private final Semaphore permits = new Semaphore(0);
    private final AtomicInteger count = new AtomicInteger();

    /** How many there are, free or not. */
    int count() {
        return count.get();
    }

    void add(ScriptModule copy) {
        count.incrementAndGet();
        giveBack(copy);
    }

    /** Waits for a copy; null if there are none at all. */
    @Nullable ScriptModule take() {
        if (count.get() == 0) {
            return null;
        }
        permits.acquireUninterruptibly();
        return free.remove();
    }

    void giveBack(ScriptModule copy) {
        free.add(copy);
        permits.release();
    }

    /** Frees the copies, for which nobody may compute any more. */
    @Override
    public void close() {
        count.set(0);
        for (ScriptModule copy; (copy = free.poll()) != null; ) {
            copy.close();
        }
    }
}
