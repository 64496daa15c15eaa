package io.peft4j.models;

import java.util.List;

/**
 * What a model made of a prompt.
 *
 * @param text the new text, without special tokens and without the stop string that ended it
 * @param ids the new tokens, the ending one included
 * @param promptTokens how many tokens the prompt had
 * @param end why there are no more
 */
public record GeneratedText(String text, List<Long> ids, int promptTokens, End end) {

    /** Copies the ids. */
    public GeneratedText {
        ids = List.copyOf(ids);
    }

    /** Why a text ended. */
    public enum End {
        /** A token that ends texts came. */
        EOS,
        /** A stop string came. */
        STOP,
        /** There are as many tokens as were asked for. */
        LENGTH
    }
}
