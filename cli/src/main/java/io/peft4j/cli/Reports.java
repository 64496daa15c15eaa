package io.peft4j.cli;

import io.peft4j.files.DespiteFailures;
import io.peft4j.tuning.TrainingObserver;
import io.peft4j.tuning.TrainingReport;
import java.util.ArrayList;
import java.util.List;

/**
 * The reports of one training.
 *
 * @param all the reports, open
 */
record Reports(List<TrainingReport> all) implements AutoCloseable {

    /** Returns the observers of a training: one that comes first, and the reports. */
    TrainingObserver[] after(TrainingObserver first) {
        List<TrainingObserver> observers = new ArrayList<>();
        observers.add(first);
        observers.addAll(all);
        return observers.toArray(TrainingObserver[]::new);
    }

    /** Closes each, also if another cannot be. */
    @Override
    public void close() {
        DespiteFailures.each(all, TrainingReport::close);
    }
}
