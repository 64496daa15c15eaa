package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchValue;
import java.util.Arrays;
import org.openjdk.jmh.annotations.Param;

/** Causal attention of two rows, four queries to a key: {@code attend} of attention.ts. */
@SuppressWarnings("NullAway.Init")
public class AttentionBenchmark extends KernelBenchmark {

    private static final int ROWS = 2;
    private static final int KEYS = 5;
    private static final int QUERIES_PER_KEY = 4;
    private static final int WIDTH = 64;

    /** The tokens of both rows. */
    @Param("512")
    public int tokens = 512;

    private NDArray q;
    private NDArray k;
    private NDArray v;
    private NDArray upstream;
    private NDArray mask;
    private NDArray scale;
    private TorchValue[] arguments;

    @Override
    void prepare() {
        int length = tokens / ROWS;
        q = leaf(random(ROWS * KEYS, QUERIES_PER_KEY, length, WIDTH));
        k = leaf(random(ROWS * KEYS, 1, length, WIDTH));
        v = leaf(random(ROWS * KEYS, 1, length, WIDTH));
        upstream = random(ROWS * KEYS, QUERIES_PER_KEY, length, WIDTH);
        scale = number(1 / Math.sqrt(WIDTH));
        float[] later = new float[length * length];
        for (int i = 0; i < length; i++) {
            Arrays.fill(later, i * length + i + 1, (i + 1) * length, Float.NEGATIVE_INFINITY);
        }
        mask = Tensors.of(manager(), later, new Shape(length, length));
        arguments =
                new TorchValue[] {
                    keep(TorchValue.of(q)),
                    keep(TorchValue.of(k)),
                    keep(TorchValue.of(v)),
                    keep(TorchValue.of(upstream))
                };
    }

    @Override
    NDArray byKernel(NDManager scope) {
        return infer(scope, "attention_step", arguments);
    }

    @Override
    NDArray plainGradient(NDManager scope) {
        NDArray scores = q.matMul(k.transpose(0, 1, 3, 2)).mul(scale).add(mask);
        Gradients.backward(scores.softmax(-1).matMul(v), upstream);
        return takeGradient(scope, q);
    }
}
