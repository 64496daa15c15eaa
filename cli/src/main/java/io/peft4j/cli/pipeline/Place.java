package io.peft4j.cli.pipeline;

/**
 * Where something was said, for messages.
 *
 * @param text a file and a line, or a flag
 */
public record Place(String text) {

    static Place line(String file, int line) {
        return new Place(file + ":" + line);
    }

    /**
     * Makes an exception about what stands here.
     *
     * @param message what is wrong with it, and what would be right
     * @return the exception, to be thrown
     */
    public PipelineException refused(String message) {
        return new PipelineException(text + ": " + message);
    }
}
