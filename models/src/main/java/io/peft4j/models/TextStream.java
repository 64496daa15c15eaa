package io.peft4j.models;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * Turns tokens into text as they come; together the pieces are what {@link Tokenizer#decode} gives
 * for all tokens. A token may hold part of a character only, and the beginning of a stop string may
 * be just that: such text is held back until it is known what it is.
 *
 * <p>How a token is written depends on its neighbours (a space before the first is dropped, bytes
 * make up characters), so that each piece is what the last few tokens give together, less what all
 * but the newest gave.
 */
public final class TextStream {

    private static final char INCOMPLETE = '\ufffd';

    private final Tokenizer tokenizer;
    private final List<String> stopStrings;
    private final Consumer<String> sink;
    private final StringBuilder text = new StringBuilder();
    private long[] ids = new long[64];
    private int size;
    private int context; // where the tokens begin that are decoded again
    private int decoded; // the tokens before this one are in the text
    private int shown;
    private boolean stopped;

    /**
     * Begins a text.
     *
     * @param tokenizer decodes; special tokens are left out
     * @param stopStrings what the text ends before
     * @param sink is told each new piece of the text
     */
    public TextStream(Tokenizer tokenizer, List<String> stopStrings, Consumer<String> sink) {
        this.tokenizer = tokenizer;
        this.stopStrings = List.copyOf(stopStrings);
        this.sink = sink;
    }

    /**
     * Takes a token.
     *
     * @param id the token
     * @return whether the text goes on; false after a stop string
     */
    public boolean accept(long id) {
        if (stopped) {
            return false;
        }
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
        }
        ids[size++] = id;
        String before = decode(decoded);
        String now = decode(size);
        if (now.length() > before.length()
                && now.startsWith(before)
                && now.charAt(now.length() - 1) != INCOMPLETE) {
            text.append(now, before.length(), now.length());
            context = decoded;
            decoded = size;
            show();
        }
        return !stopped;
    }

    private String decode(int end) {
        return context == end ? "" : tokenizer.decode(Arrays.copyOfRange(ids, context, end), true);
    }

    private void show() {
        int end = text.length();
        for (String stop : stopStrings) {
            int found = text.indexOf(stop, Math.max(0, shown - stop.length()));
            if (found >= 0) {
                stopped = true;
                end = Math.min(end, found);
            }
        }
        if (stopped) {
            text.setLength(end);
        } else {
            end -= longestBeginning();
        }
        tell(end);
    }

    /** How much of the end could be the beginning of a stop string. */
    private int longestBeginning() {
        int longest = 0;
        for (String stop : stopStrings) {
            for (int length = Math.min(stop.length() - 1, text.length() - shown);
                    length > longest;
                    length--) {
                if (stop.startsWith(text.substring(text.length() - length))) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    private void tell(int end) {
        if (end > shown) {
            sink.accept(text.substring(shown, end));
            shown = end;
        }
    }

    /**
     * Tells the sink what was held back.
     *
     * @return the whole text
     */
    public String finish() {
        if (!stopped && decoded < size) {
            String before = decode(decoded);
            String now = decode(size);
            text.append(now.substring(Math.min(before.length(), now.length())));
            decoded = size;
            show();
        }
        tell(text.length());
        return text.toString();
    }

    /**
     * Tells whether a stop string ended the text.
     *
     * @return whether there is one right behind the text
     */
    public boolean isStopped() {
        return stopped;
    }
}
