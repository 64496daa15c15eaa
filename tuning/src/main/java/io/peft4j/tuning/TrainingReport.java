package io.peft4j.tuning;

/**
 * A report of one training that is being written. Closing it without a finish tells of a failure.
 */
public interface TrainingReport extends TrainingObserver, AutoCloseable {

    @Override
    void close();
}
