package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import java.util.Arrays;

/** The tokens of a batch that have a label, each seen from the token before it. */
final class Labels {

    /** The label of a token that has no loss, as in PyTorch. */
    static final long IGNORED = -100;

    private final int rows;
    private final int columns;
    private final long[] positions;
    private final long[] targets;

    private Labels(int rows, int columns, long[] positions, long[] targets) {
        this.rows = rows;
        this.columns = columns;
        this.positions = positions;
        this.targets = targets;
    }

    /**
     * Reads labels that lie over their tokens.
     *
     * @param ids (B, S)
     * @param labels (B, S), {@link #IGNORED} where there is no loss; those of the first tokens are
     *     never predicted
     */
    static Labels of(NDArray ids, NDArray labels, int vocabularySize) {
        long[] values = TokenChecks.read("labels", labels);
        TokenChecks.requireShape("labels", ids.getShape(), labels.getShape());
        int columns = Math.toIntExact(labels.getShape().get(1));
        long[] positions = new long[values.length];
        long[] targets = new long[values.length];
        int count = 0;
        for (int i = 0; i < values.length; i++) {
            if (values[i] == IGNORED) {
                continue;
            }
            if (values[i] < 0 || values[i] >= vocabularySize) {
                throw new InvalidTokensException(
                        "expected labels from 0 to "
                                + (vocabularySize - 1)
                                + " or "
                                + IGNORED
                                + ", found "
                                + values[i]
                                + " in row "
                                + i / columns
                                + ", position "
                                + i % columns);
            }
            if (i % columns > 0) {
                positions[count] = i - 1L;
                targets[count] = values[i];
                count++;
            }
        }
        return new Labels(
                values.length / columns,
                columns,
                Arrays.copyOf(positions, count),
                Arrays.copyOf(targets, count));
    }

    /**
     * Reads tokens that need not stand in the batch.
     *
     * @param ids (B, S)
     * @param places (N), where the context of a token ends, flat in (B, S)
     * @param tokens (N)
     */
    static Labels after(NDArray ids, long[] places, long[] tokens, int vocabularySize) {
        Shape shape = ids.getShape();
        if (places.length != tokens.length) {
            throw new InvalidTokensException(
                    "expected a place for each token, found "
                            + places.length
                            + " places and "
                            + tokens.length
                            + " tokens");
        }
        for (int i = 0; i < places.length; i++) {
            if (places[i] < 0 || places[i] >= shape.size()) {
                throw new InvalidTokensException(
                        "expected places from 0 to "
                                + (shape.size() - 1)
                                + " in ids "
                                + shape
                                + ", found "
                                + places[i]);
            }
            if (tokens[i] < 0 || tokens[i] >= vocabularySize) {
                throw new InvalidTokensException(
                        "expected tokens from 0 to "
                                + (vocabularySize - 1)
                                + ", found "
                                + tokens[i]
                                + " as number "
                                + i);
            }
        }
        return new Labels(
                Math.toIntExact(shape.get(0)),
                Math.toIntExact(shape.get(1)),
                places.clone(),
                tokens.clone());
    }

    int count() {
        return targets.length;
    }

    /** Returns the batch's rows. */
    int rows() {
        return rows;
    }

    /** Returns where the hidden states lie that predict a label, flat in (B, S). */
    NDArray positions(NDManager owner) {
        return Tensors.of(owner, positions, new Shape(positions.length));
    }

    /** Returns some of the labels. */
    NDArray targets(NDManager owner, int from, int to) {
        return Tensors.of(owner, Arrays.copyOfRange(targets, from, to), new Shape(to - from));
    }

    /** Returns the row of the batch that a label is in. */
    int rowOf(int label) {
        return (int) (positions[label] / columns);
    }
}
