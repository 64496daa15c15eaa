package io.peft4j.tuning.online.rejection;

/** The thread that samples was interrupted; its interrupt is still set. */
public final class SamplingInterruptedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    SamplingInterruptedException(int done, int total) {
        super(
                "interrupted after "
                        + done
                        + " of "
                        + total
                        + " prompts; it can be resumed from there");
    }
}
