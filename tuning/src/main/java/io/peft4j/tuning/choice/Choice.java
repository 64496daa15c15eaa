package io.peft4j.tuning.choice;

import ai.djl.util.Preconditions;

/**
 * One answer that a question offers. Its score is log p of the continuation after the context.
 *
 * @param context what stands before it; may be empty
 * @param continuation what is scored
 * @param length the characters (Unicode code points) of the choice as its data set writes it, which
 *     a normalised score is divided by
 */
public record Choice(String context, String continuation, int length) {

    /** Checks the length. */
    public Choice {
        Preconditions.checkArgument(
                length > 0 && !continuation.isEmpty(),
                "expected a choice of one character at least, found none");
    }

    /** Makes a choice that follows its context after a space. */
    static Choice after(String context, String text) {
        return new Choice(context, " " + text, PythonText.length(text));
    }
}
