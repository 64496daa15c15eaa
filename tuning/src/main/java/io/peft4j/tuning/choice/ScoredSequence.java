package io.peft4j.tuning.choice;

import java.util.Arrays;

/**
 * A context and its continuation as tokens. The last token is scored only and never read. The array
 * is not copied and not to be changed.
 */
final class ScoredSequence {

    private final long[] ids;
    private final int scored;

    /**
     * Makes a sequence.
     *
     * @param ids all tokens
     * @param scored how many of the last ones are the continuation: one at least, and not all
     */
    ScoredSequence(long[] ids, int scored) {
        this.ids = ids;
        this.scored = scored;
    }

    /** Returns what the model reads: all tokens but the last. */
    long[] inputs() {
        return Arrays.copyOf(ids, ids.length - 1);
    }

    int scored() {
        return scored;
    }

    /** Returns how many tokens stand before one of the continuation. */
    int before(int token) {
        return ids.length - scored + token;
    }

    long id(int token) {
        return ids[before(token)];
    }

    long[] ids() {
        return ids;
    }
}
