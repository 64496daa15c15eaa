package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.TorchValue;
import org.openjdk.jmh.annotations.Param;

/** The second half of a layer, LoRA on its three linear layers: {@code feed_forward.ts}. */
@SuppressWarnings("NullAway.Init")
public class FeedForwardBenchmark extends KernelBenchmark {

    private static final int[] LAST = {-1};

    /** The tokens of a batch. */
    @Param("512")
    public int tokens = 512;

    private NDArray h;
    private NDArray upstream;
    private NDArray norm;
    private LowRank gate;
    private LowRank up;
    private LowRank down;
    private TorchValue[] arguments;

    @Override
    void prepare() {
        h = leaf(random(1, tokens, HIDDEN));
        upstream = random(1, tokens, HIDDEN);
        norm = ones(HIDDEN);
        gate = new LowRank(this, HIDDEN, INNER, false);
        up = new LowRank(this, HIDDEN, INNER, false);
        down = new LowRank(this, INNER, HIDDEN, false);
        NDArray none = nothing();
        NDArray[] ofGate = gate.tensors();
        NDArray[] ofUp = up.tensors();
        arguments =
                new TorchValue[] {
                    keep(TorchValue.of(h)),
                    keep(TorchValue.of(upstream)),
                    list(norm),
                    list(gate.weight(), up.weight()),
                    list(none, none),
                    list(ofGate[0], ofGate[1], none, none, ofUp[0], ofUp[1], none, none),
                    LowRank.layers(this, 2),
                    LowRank.numbers(this, 2),
                    list(down.weight()),
                    list(none),
                    list(down.tensors()),
                    LowRank.layers(this, 1),
                    LowRank.numbers(this, 1),
                    keep(TorchValue.ofDoubles(EPSILON))
                };
    }

    @Override
    NDArray byKernel(NDManager scope) {
        return infer(scope, "feed_forward_step", arguments);
    }

    @Override
    NDArray plainGradient(NDManager scope) {
        NDArray n = normed(h, norm).reshape(new Shape(tokens, HIDDEN));
        NDArray gated = gate.plain(n);
        NDArray inner = gated.mul(Activation.sigmoid(gated)).mul(up.plain(n));
        Gradients.backward(h.add(down.plain(inner).expandDims(0)), upstream);
        return takeGradient(scope, h);
    }

    /** Returns x / sqrt(mean(x^2) + eps) w. */
    static NDArray normed(NDArray x, NDArray w) {
        return x.div(x.square().mean(LAST, true).add(EPSILON).sqrt()).mul(w);
    }
}
