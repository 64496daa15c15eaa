package io.peft4j.jinja;

import java.util.List;

/**
 * What a template made.
 *
 * @param text the text
 * @param generated where the {@code generation} blocks are in it, in order
 */
public record Rendering(String text, List<Span> generated) {

    /**
     * A part of the text.
     *
     * @param begin the index of its first {@code char}
     * @param end the index behind its last {@code char}
     */
    public record Span(int begin, int end) {}
}
