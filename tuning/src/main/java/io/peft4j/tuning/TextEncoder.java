package io.peft4j.tuning;

import java.util.List;

/** What rows of text need from a tokenizer. */
interface TextEncoder {

    /**
     * Returns the ids of a text, with the special tokens that the tokenizer adds by itself, such as
     * BOS.
     */
    long[] encode(String text);

    /**
     * Returns the ids of a conversation under the chat template, which places every special token.
     */
    long[] encodeChat(List<Turn> turns, boolean addGenerationPrompt);

    /** Returns the text of the end-of-sequence token. */
    String endOfSequence();

    /** One message of a conversation. */
    record Turn(String role, String content) {}
}
