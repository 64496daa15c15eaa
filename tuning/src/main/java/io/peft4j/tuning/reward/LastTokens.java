package io.peft4j.tuning.reward;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.Tensors;
import java.util.Arrays;

/** The last token of each row, whose score is the row's reward. */
final class LastTokens {

    private LastTokens() {}

    /**
     * Marks them.
     *
     * @param owner the manager of the result
     * @param mask int64 (batch, length), 1 for tokens and 0 for padding on the right
     * @return int64 (batch, length), 1 for the last token of each row and 0 for others
     */
    static NDArray of(NDManager owner, NDArray mask) {
        long[] tokens = mask.toLongArray();
        int rows = Math.toIntExact(mask.getShape().get(0));
        int columns = tokens.length / rows;
        long[] last = new long[tokens.length];
        for (int row = 0; row < rows; row++) {
            int from = row * columns;
            long length = Arrays.stream(tokens, from, from + columns).sum();
            last[Math.toIntExact(from + length - 1)] = 1;
        }
        return Tensors.of(owner, last, mask.getShape());
    }
}
