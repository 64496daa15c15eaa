package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.TorchValue;
import org.openjdk.jmh.annotations.Param;

/** A linear layer with an adapter: {@code projection.ts}. */
@SuppressWarnings("NullAway.Init")
public class LinearBenchmark extends KernelBenchmark {

    /** The tokens of a batch. */
    @Param("512")
    public int tokens = 512;

    /** The adapter. */
    @Param({"lora", "dora"})
    public String method = "lora";

    private LowRank layer;
    private NDArray x;
    private NDArray upstream;
    private TorchValue[] arguments;

    @Override
    void prepare() {
        layer = new LowRank(this, HIDDEN, INNER, method.equals("dora"));
        x = leaf(random(tokens, HIDDEN));
        upstream = random(tokens, INNER);
        arguments =
                new TorchValue[] {
                    keep(TorchValue.of(x)),
                    keep(TorchValue.of(upstream)),
                    list(layer.weight()),
                    list(nothing()),
                    list(layer.tensors()),
                    LowRank.layers(this, 1),
                    LowRank.numbers(this, 1)
                };
    }

    @Override
    NDArray byKernel(NDManager scope) {
        return infer(scope, "linear_step", arguments);
    }

    @Override
    NDArray plainGradient(NDManager scope) {
        Gradients.backward(layer.plain(x), upstream);
        return takeGradient(scope, x);
    }
}
