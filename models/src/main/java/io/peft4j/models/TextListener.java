package io.peft4j.models;

/** Is told of the texts of a batch as they come. */
@FunctionalInterface
public interface TextListener {

    /**
     * Takes a piece of text.
     *
     * @param row the row of the batch, from 0
     * @param text the piece, not empty
     */
    void onText(int row, String text);
}
