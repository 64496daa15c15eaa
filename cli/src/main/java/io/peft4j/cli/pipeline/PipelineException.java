package io.peft4j.cli.pipeline;

/** A pipeline's file asks for what cannot be had, or its output directory is not its own. */
public final class PipelineException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Makes an exception.
     *
     * @param message what was wrong, where, and what would be right
     */
    public PipelineException(String message) {
        super(message);
    }
}
