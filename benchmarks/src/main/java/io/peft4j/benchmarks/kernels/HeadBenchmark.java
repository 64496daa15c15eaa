package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.torch.TorchValue;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.openjdk.jmh.annotations.Param;

/** The last norm, the head and cross-entropy: {@code head.ts}. */
@SuppressWarnings("NullAway.Init")
public class HeadBenchmark extends KernelBenchmark {

    /** The tokens that have a label. */
    @Param("512")
    public int tokens = 512;

    /** The entries of the vocabulary. */
    @Param("32000")
    public int vocabulary = 32000;

    /** The rows of logits that the kernel has at a time. */
    @Param("128")
    public int chunk = 128;

    private final Loss loss = Loss.softmaxCrossEntropyLoss();
    private NDArray h;
    private NDArray norm;
    private NDArray weight;
    private NDArray targets;
    private TorchValue[] arguments;

    @Override
    void prepare() {
        h = leaf(random(1, tokens, HIDDEN));
        norm = ones(HIDDEN);
        weight = random(vocabulary, HIDDEN);
        long[] wanted = new SplittableRandom(3).longs(tokens, 0, vocabulary).toArray();
        targets = Tensors.of(manager(), wanted, new Shape(tokens));
        long[] all = LongStream.range(0, tokens).toArray();
        NDArray mean = Tensors.of(manager(), new float[] {1f / tokens}, new Shape(1));
        arguments =
                new TorchValue[] {
                    keep(TorchValue.of(h)),
                    keep(TorchValue.of(Tensors.of(manager(), all, new Shape(tokens)))),
                    keep(TorchValue.of(targets)),
                    keep(TorchValue.of(mean)),
                    list(norm),
                    list(weight),
                    list(nothing()),
                    list(),
                    keep(TorchValue.ofLongs()),
                    keep(TorchValue.ofDoubles()),
                    keep(TorchValue.ofLongs(chunk)),
                    keep(TorchValue.ofDoubles(EPSILON, 1))
                };
    }

    @Override
    NDArray byKernel(NDManager scope) {
        try (TorchValue result = kernels().infer("head", arguments)) {
            NDList both = result.tensors(scope);
            both.get(0).close();
            return both.get(1);
        }
    }

    @Override
    NDArray plainGradient(NDManager scope) {
        NDArray n = FeedForwardBenchmark.normed(h, norm).reshape(new Shape(tokens, HIDDEN));
        NDArray logits = n.matMul(weight.transpose());
        Gradients.backward(loss.evaluate(new NDList(targets), new NDList(logits)));
        return takeGradient(scope, h);
    }
}
