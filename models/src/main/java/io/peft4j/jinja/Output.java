package io.peft4j.jinja;

import java.util.ArrayList;
import java.util.List;

/** The text so far, and where in it the assistant speaks. */
final class Output {

    private static final int LONGEST = 100_000_000;

    private final StringBuilder text = new StringBuilder();
    private final List<Rendering.Span> generated = new ArrayList<>();
    private final boolean whole;

    Output() {
        this(true);
    }

    private Output(boolean whole) {
        this.whole = whole;
    }

    /** A text that becomes a value. */
    Output inner() {
        return new Output(false);
    }

    void append(String piece) {
        if (piece.length() > LONGEST - text.length()) {
            throw new JinjaException("the text exceeds " + LONGEST + " characters");
        }
        text.append(piece);
    }

    int length() {
        return text.length();
    }

    void noteGeneration(int begin) {
        if (!whole) {
            throw new JinjaException("a generation block inside a macro or a set has no place");
        }
        generated.add(new Rendering.Span(begin, text.length()));
    }

    String text() {
        return text.toString();
    }

    Rendering rendering() {
        return new Rendering(text(), List.copyOf(generated));
    }
}
