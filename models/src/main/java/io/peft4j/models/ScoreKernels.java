package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchValue;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * The last norm and a score head, by the kernels of {@code score.ts}.
 *
 * @param weight the head's weight (1, H), float32
 * @param tokens what is scored
 */
record ScoreKernels(NDArray weight, ScoredTokens tokens) {

    /** Computes the scores (N) of what the last layer gave. */
    float[] scores(LayerPass pass, HeadStage head, TorchValue h) {
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue rows = TorchValue.of(tokens.positions(scope));
                TorchValue w = TorchValue.of(weight);
                TorchValue numbers = head.numbers(1);
                TorchValue scores =
                        pass.kernels()
                                .infer("score", h, rows, head.tensors().norms(), w, numbers)) {
            return EnginePass.floats(pass, scores);
        }
    }

    /**
     * Computes the scores, asks for their slopes, and sends the gradient through the layers.
     *
     * @param h what the last layer gave
     * @param slopes tells the loss's derivative by each score
     * @param layers takes the gradient by h
     * @return the gradient by the head's weight (1, H)
     */
    float[] backward(
            LayerPass pass,
            HeadStage head,
            TorchValue h,
            UnaryOperator<float[]> slopes,
            Consumer<TorchValue> layers) {
        float[] each = slopes.apply(scores(pass, head, h));
        try (NDManager scope = pass.owner().newSubManager();
                TorchValue rows = TorchValue.of(tokens.positions(scope));
                TorchValue d = TorchValue.of(Tensors.of(scope, each, new Shape(each.length)));
                TorchValue w = TorchValue.of(weight);
                TorchValue numbers = head.numbers(1);
                TorchValue result =
                        pass.kernels()
                                .infer(
                                        "score_backward",
                                        h,
                                        rows,
                                        d,
                                        head.tensors().norms(),
                                        w,
                                        numbers)) {
            try (TorchValue dh = pass.kernels().infer("second", result)) {
                layers.accept(dh);
            }
            try (TorchValue dw = pass.kernels().infer("first", result)) {
                return EnginePass.floats(pass, dw);
            }
        }
    }
}
