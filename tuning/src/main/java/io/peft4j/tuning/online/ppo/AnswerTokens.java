package io.peft4j.tuning.online.ppo;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.Example;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** Which tokens of a batch an answer's tokens are seen from, and in what order they are told. */
final class AnswerTokens {

    private AnswerTokens() {}

    /**
     * Marks the tokens that predict an answer's, which are one place before them.
     *
     * @param owner the manager of the result
     * @param rows prompts with answers, of which the answers have labels
     * @return int64 (rows, length of the longest), 1 where the next token has a label, else 0
     */
    static NDArray predictors(NDManager owner, List<Example> rows) {
        int length = rows.stream().mapToInt(Example::length).max().orElseThrow();
        long[] marks = new long[rows.size() * length];
        for (int row = 0; row < rows.size(); row++) {
            long[] labels = rows.get(row).labels();
            for (int i = 1; i < labels.length; i++) {
                marks[row * length + i - 1] = labels[i] == Example.IGNORED ? 0 : 1;
            }
        }
        return Tensors.of(owner, marks, new Shape(rows.size(), length));
    }

    /** Is told of the tokens of a batch. */
    @FunctionalInterface
    interface Visitor {
        /**
         * Is told of a token.
         *
         * @param index its number in the batch
         * @param row its row in the batch
         * @param token its number in its answer
         */
        void visit(int index, int row, int token);
    }

    /** Counts tokens, which lie row by row, in each row from 0. */
    static void visit(int count, IntUnaryOperator rowOf, Visitor visitor) {
        int row = -1;
        int token = 0;
        for (int i = 0; i < count; i++) {
            token = rowOf.applyAsInt(i) == row ? token + 1 : 0;
            row = rowOf.applyAsInt(i);
            visitor.visit(i, row, token);
        }
    }
}
