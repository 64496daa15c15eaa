package io.peft4j.site;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A fenced block of code on a page.
 *
 * @param page the page's path below the root
 * @param line the line of its fence, from 1
 * @param language what stands behind the fence, such as {@code java}; may be empty
 * @param text the code, with its last line's end
 * @param comment what the HTML comment directly above it says; empty if there is none
 */
public record CodeBlock(Path page, int line, String language, String text, String comment) {

    private static final String NOT_RUN = "not run:";
    private static final String RUN_BY = "run by:";

    /**
     * Tells why no test runs it.
     *
     * @return the reason that {@code <!-- not run: REASON -->} gives
     */
    public Optional<String> excuse() {
        return said(NOT_RUN);
    }

    /**
     * Tells which test of its own runs it.
     *
     * @return the class that {@code <!-- run by: SomeTest -->} names
     */
    public Optional<String> ownTest() {
        return said(RUN_BY);
    }

    private Optional<String> said(String key) {
        return comment.startsWith(key)
                ? Optional.of(comment.substring(key.length()).strip()).filter(s -> !s.isEmpty())
                : Optional.empty();
    }

    /** Says where it is. */
    @Override
    public String toString() {
        return page + ":" + line;
    }
}
