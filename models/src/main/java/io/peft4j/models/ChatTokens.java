package io.peft4j.models;

/** A conversation as a model reads it. */
public final class ChatTokens {

    private final long[] ids;
    private final boolean[] assistant;

    ChatTokens(long[] ids, boolean[] assistant) {
        this.ids = ids;
        this.assistant = assistant;
    }

    /**
     * Returns the tokens.
     *
     * @return their ids
     */
    public long[] ids() {
        return ids;
    }

    /**
     * Tells which tokens the assistant said, the end of its turn among them.
     *
     * @return one flag per token
     */
    public boolean[] assistant() {
        return assistant;
    }
}
