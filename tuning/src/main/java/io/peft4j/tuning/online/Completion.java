package io.peft4j.tuning.online;

import ai.djl.util.Preconditions;
import io.peft4j.tuning.Example;
import java.util.Arrays;

/** What a model said to a prompt. The array is not copied and not to be changed. */
public final class Completion {

    private final Prompt prompt;
    private final long[] ids;
    private final String text;
    private final boolean ended;

    /**
     * Makes an answer.
     *
     * @param prompt what was asked
     * @param ids its tokens, one at least, with the EOS token if it ended so
     * @param text the answer without special tokens
     * @param ended whether the model ended it itself; else it was cut at its greatest length
     */
    public Completion(Prompt prompt, long[] ids, String text, boolean ended) {
        Preconditions.checkArgument(ids.length > 0, "expected an answer of one token at least");
        this.prompt = prompt;
        this.ids = ids;
        this.text = text;
        this.ended = ended;
    }

    /**
     * Returns what was asked.
     *
     * @return the prompt
     */
    public Prompt prompt() {
        return prompt;
    }

    /**
     * Returns its tokens.
     *
     * @return ids (length), the EOS token among them if it ended so
     */
    public long[] ids() {
        return ids;
    }

    /**
     * Returns it as text.
     *
     * @return the answer without special tokens
     */
    public String text() {
        return text;
    }

    /**
     * Tells whether the model ended it.
     *
     * @return false if it was cut at its greatest length
     */
    public boolean ended() {
        return ended;
    }

    /**
     * Returns prompt and answer as one row, of which the answer is to be learned.
     *
     * @return the row; the prompt's tokens have no label
     */
    public Example example() {
        long[] asked = prompt.ids();
        long[] all = Arrays.copyOf(asked, asked.length + ids.length);
        System.arraycopy(ids, 0, all, asked.length, ids.length);
        long[] labels = all.clone();
        Arrays.fill(labels, 0, asked.length, Example.IGNORED);
        return new Example(all, labels);
    }
}
