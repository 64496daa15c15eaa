package io.peft4j.models;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One text that grows. */
final class GenerationRow {

    private final int number;
    private final @Nullable String adapter;
    private final int promptLength;
    private final GenerationConfig config;
    private final GenerationListener listener;
    private final TokenSampler sampler;
    private final long[] text;
    private int length;
    private boolean ended;

    /**
     * Begins a text.
     *
     * @param number its row, which the listener is told
     * @param adapter the adapter it has in place of those in effect; null for those
     */
    GenerationRow(
            int number,
            long[] prompt,
            @Nullable String adapter,
            GenerationConfig config,
            GenerationListener listener) {
        this.number = number;
        this.adapter = adapter;
        this.config = config;
        this.listener = listener;
        promptLength = prompt.length;
        sampler = new TokenSampler(config, config.seed() + number, prompt);
        text = Arrays.copyOf(prompt, prompt.length + config.maxNewTokens());
        length = prompt.length;
    }

    /** Returns the adapter that it has in place of those in effect; null for those. */
    @Nullable String adapter() {
        return adapter;
    }

    int length() {
        return length;
    }

    /** Returns the most tokens that the whole text can have. */
    int capacity() {
        return text.length;
    }

    boolean isEnded() {
        return ended;
    }

    long last() {
        return text[length - 1];
    }

    /** Writes the text so that it ends where a row of ids ends. */
    void copyTo(long[] ids, int end) {
        System.arraycopy(text, 0, ids, end - length, length);
    }

    /** Adds the token that follows from these logits. */
    void append(float[] logits) {
        long token = sampler.choose(logits);
        text[length++] = token;
        boolean wanted = listener.onToken(number, token);
        ended = !wanted || length == text.length || config.eosIds().contains(token);
    }

    long[] generated() {
        return Arrays.copyOfRange(text, promptLength, length);
    }
}
