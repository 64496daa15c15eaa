package io.peft4j.benchmarks.kernels;

import ai.djl.ndarray.NDArray;
import io.peft4j.torch.TorchValue;

/** A frozen linear layer with LoRA or DoRA, for a kernel and for plain DJL. */
final class LowRank {

    private static final int[] OUTPUTS = {1};

    private final NDArray weight;
    private final NDArray a;
    private final NDArray b;
    private final NDArray scaling;
    private final NDArray magnitude;
    private final NDArray norm;
    private final boolean turned;

    LowRank(KernelBenchmark owner, int in, int out, boolean dora) {
        weight = owner.random(out, in);
        a = KernelBenchmark.leaf(owner.random(KernelBenchmark.RANK, in));
        b = KernelBenchmark.leaf(owner.random(out, KernelBenchmark.RANK));
        scaling = owner.number(KernelBenchmark.SCALING);
        turned = dora;
        if (dora) {
            norm = norm(weight.add(b.matMul(a).mul(scaling)));
            magnitude = KernelBenchmark.leaf(norm.duplicate());
        } else {
            norm = owner.nothing();
            magnitude = owner.nothing();
        }
    }

    private static NDArray norm(NDArray direction) {
        return direction.square().sum(OUTPUTS).sqrt().stopGradient();
    }

    NDArray weight() {
        return weight;
    }

    /** Returns the tensors of the update, as {@code projection.ts} takes them. */
    NDArray[] tensors() {
        return new NDArray[] {a, b, magnitude, norm};
    }

    /** Returns the layers that updates act on, one each. */
    static TorchValue layers(KernelBenchmark owner, int count) {
        long[] layers = new long[count];
        for (int i = 0; i < count; i++) {
            layers[i] = i;
        }
        return owner.keep(TorchValue.ofLongs(layers));
    }

    /** Returns the numbers of as many updates without dropout. */
    static TorchValue numbers(KernelBenchmark owner, int count) {
        double[] numbers = new double[2 * count];
        for (int i = 0; i < count; i++) {
            numbers[2 * i] = KernelBenchmark.SCALING;
            numbers[2 * i + 1] = 1;
        }
        return owner.keep(TorchValue.ofDoubles(numbers));
    }

    /** Applies the layer to x (T, in): LoRA as two products, DoRA by the weight that it makes. */
    NDArray plain(NDArray x) {
        if (turned) {
            NDArray direction = b.matMul(a).mul(scaling).add(weight);
            NDArray gain = magnitude.div(norm(direction));
            return x.matMul(direction.mul(gain.expandDims(1)).transpose());
        }
        NDArray update = x.matMul(a.transpose()).matMul(b.transpose()).mul(scaling);
        return x.matMul(weight.transpose()).add(update);
    }
}
