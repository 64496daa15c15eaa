package io.peft4j.tuning;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The training thread was interrupted; its interrupt is still set. */
public final class TrainingInterruptedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int step;
    private final transient @Nullable Path checkpoint;

    TrainingInterruptedException(int step, @Nullable Path checkpoint) {
        super(
                "interrupted after step "
                        + step
                        + (checkpoint == null
                                ? "; there is nothing to resume from"
                                : "; it can be resumed from " + checkpoint));
        this.step = step;
        this.checkpoint = checkpoint;
    }

    /**
     * Returns how far the training was.
     *
     * @return the optimizer steps done
     */
    public int step() {
        return step;
    }

    /**
     * Returns what to resume from.
     *
     * @return the checkpoint of these steps; empty if there were none
     */
    public Optional<Path> checkpoint() {
        return Optional.ofNullable(checkpoint);
    }
}
