package io.peft4j.models;

/** Is told of the tokens of a batch as they come. */
@FunctionalInterface
public interface GenerationListener {

    /**
     * Takes a token.
     *
     * @param row the row of the batch, from 0
     * @param id the token
     * @return whether the row goes on; false makes this token its last
     */
    boolean onToken(int row, long id);
}
