package io.peft4j.tuning;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A loss or a gradient that is infinite or not a number. The parameters are as before the step. */
public final class TrainingDivergedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int step;
    private final transient @Nullable Path lastCheckpoint;

    TrainingDivergedException(int step, String what, double value, @Nullable Path lastCheckpoint) {
        super(
                "step "
                        + step
                        + ": expected a finite "
                        + what
                        + ", found "
                        + value
                        + "; "
                        + (lastCheckpoint == null
                                ? "there is no checkpoint before it"
                                : "the last good checkpoint is " + lastCheckpoint)
                        + "; a smaller learning rate may help");
        this.step = step;
        this.lastCheckpoint = lastCheckpoint;
    }

    /**
     * Returns where it happened.
     *
     * @return the step, counted from 1
     */
    public int step() {
        return step;
    }

    /**
     * Returns the newest checkpoint, which stays.
     *
     * @return its directory, if one was written
     */
    public Optional<Path> lastCheckpoint() {
        return Optional.ofNullable(lastCheckpoint);
    }
}
