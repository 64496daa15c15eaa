package io.peft4j.cli;

import io.peft4j.models.Tokenizer;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * Turns tokens into text as they come. A token may hold part of a character only, so the text is
 * that of all tokens so far, and its end is held back while it is an incomplete character.
 */
final class TextStream implements LongConsumer {

    private static final char INCOMPLETE = '\ufffd';

    private final Tokenizer tokenizer;
    private final Consumer<String> sink;
    private long[] ids = new long[64];
    private int size;
    private String shown = "";

    TextStream(Tokenizer tokenizer, Consumer<String> sink) {
        this.tokenizer = tokenizer;
        this.sink = sink;
    }

    @Override
    public void accept(long id) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
        }
        ids[size++] = id;
        String text = text();
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == INCOMPLETE) {
            end--;
        }
        show(text.substring(0, end));
    }

    /** Shows what was held back. */
    void finish() {
        show(text());
    }

    String text() {
        return tokenizer.decode(Arrays.copyOf(ids, size), true);
    }

    private void show(String text) {
        if (text.length() > shown.length() && text.startsWith(shown)) {
            sink.accept(text.substring(shown.length()));
            shown = text;
        }
    }
}
