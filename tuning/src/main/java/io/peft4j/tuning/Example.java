package io.peft4j.tuning;

import ai.djl.util.Preconditions;
import java.util.Arrays;

/**
 * One row of token ids with the labels that a loss is taken on. The token before a position
 * predicts it, so the first label is never used. The arrays are not copied and not to be changed.
 */
public final class Example {

    /** The label of a token without loss, as torch's cross entropy has it. */
    public static final long IGNORED = -100;

    private final long[] ids;
    private final long[] labels;

    /**
     * Makes an example.
     *
     * @param ids the token ids (length), one at least
     * @param labels the wanted ids (length), aligned with {@code ids}; {@link #IGNORED} where there
     *     is no loss
     */
    public Example(long[] ids, long[] labels) {
        Preconditions.checkArgument(
                ids.length > 0 && ids.length == labels.length,
                "an example needs a label per id and one id at least, but has "
                        + ids.length
                        + " ids and "
                        + labels.length
                        + " labels");
        this.ids = ids;
        this.labels = labels;
    }

    /**
     * Makes an example with loss on every token.
     *
     * @param ids the token ids
     * @return the example
     */
    public static Example of(long... ids) {
        return new Example(ids, ids);
    }

    /**
     * Returns the same tokens without a loss on any.
     *
     * @return the row, all of whose labels are {@link #IGNORED}
     */
    public Example unlabelled() {
        long[] none = new long[ids.length];
        Arrays.fill(none, IGNORED);
        return new Example(ids, none);
    }

    /**
     * Returns the token ids.
     *
     * @return ids (length)
     */
    public long[] ids() {
        return ids;
    }

    /**
     * Returns the wanted ids.
     *
     * @return labels (length)
     */
    public long[] labels() {
        return labels;
    }

    /**
     * Returns the number of tokens.
     *
     * @return the length of both arrays
     */
    public int length() {
        return ids.length;
    }

    /**
     * Counts the tokens whose prediction has a loss.
     *
     * @return the labels after the first that are not {@link #IGNORED}
     */
    public int labelled() {
        int count = 0;
        for (int i = 1; i < labels.length; i++) {
            count += labels[i] == IGNORED ? 0 : 1;
        }
        return count;
    }
}
