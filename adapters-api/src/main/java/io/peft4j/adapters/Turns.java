package io.peft4j.adapters;

import java.util.concurrent.locks.ReentrantLock;

/** Lets one thread at a time do something, as often within itself as it likes. */
final class Turns {

    private final ReentrantLock lock = new ReentrantLock();

    /** A thread's turn, until it is closed. */
    interface Turn extends AutoCloseable {
        @Override
        void close();
    }

    Turn take() {
        lock.lock();
        return lock::unlock;
    }
}
