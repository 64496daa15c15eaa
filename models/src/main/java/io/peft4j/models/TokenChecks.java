package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/** Refuses ids before they reach native code, whose own message names no token. */
final class TokenChecks {

    private TokenChecks() {}

    /** Returns the ids, row by row, of a tensor that must be INT64 (B, S). */
    static long[] read(String what, NDArray array) {
        Shape shape = array.getShape();
        if (array.getDataType() != DataType.INT64 || shape.dimension() != 2) {
            throw new InvalidTokensException(
                    "expected "
                            + what
                            + " as int64 (batch, tokens), found "
                            + array.getDataType()
                            + " "
                            + shape);
        }
        if (shape.size() == 0) {
            throw new InvalidTokensException(
                    "expected at least one token in " + what + ", found " + shape);
        }
        return array.toLongArray();
    }

    static void requireShape(String what, Shape expected, Shape found) {
        if (!expected.equals(found)) {
            throw new InvalidTokensException(
                    "expected " + what + " of the ids' shape " + expected + ", found " + found);
        }
    }

    static void requireInVocabulary(long[] ids, int columns, int vocabularySize) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= vocabularySize) {
                throw new InvalidTokensException(
                        "expected token ids from 0 to "
                                + (vocabularySize - 1)
                                + ", found "
                                + ids[i]
                                + " in row "
                                + i / columns
                                + ", position "
                                + i % columns);
            }
        }
    }

    static void requireInContext(long length, int contextLength) {
        if (length > contextLength) {
            throw new InvalidTokensException(
                    "expected at most "
                            + contextLength
                            + " tokens, the model's context, found "
                            + length);
        }
    }
}
