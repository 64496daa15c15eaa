package io.peft4j.tuning;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** A training that was asked to go on from a checkpoint of other settings or data. */
public final class ResumeMismatchException extends IOException {

    private static final long serialVersionUID = 1L;

    ResumeMismatchException(Path checkpoint, List<String> contradictions) {
        super(
                checkpoint
                        + ": expected the settings of the run that is resumed: "
                        + String.join("; ", contradictions));
    }
}
