package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.TextModule;

/** Initial factors that need linear algebra: A (rank, in) and B (out, rank), of W (out, in). */
final class InitialFactors {

    private static final TextModule KERNELS = TextModule.resource(InitialFactors.class, "inits.ts");

    /** Directions beyond the rank that make an approximate decomposition better. */
    private static final int SPARE = 8;

    private static final long SKETCH_SEED = 20_404;

    private InitialFactors() {}

    static NDList pissa(NDManager scope, NDArray weight, int rank, double scaling, long seed) {
        return KERNELS.callList(scope, "pissa", weight, scope.create(rank), scope.create(scaling));
    }

    static NDList near(NDManager scope, NDArray weight, int rank, double scaling, int iterations) {
        long in = weight.getShape().get(1);
        long most = Math.min(weight.getShape().get(0), in);
        NDArray sketch =
                Draws.normal(scope, new Shape(in, Math.min(most, rank + SPARE)), 1, SKETCH_SEED);
        return KERNELS.callList(
                scope,
                "pissa_near",
                weight,
                sketch,
                scope.create(iterations),
                scope.create(rank),
                scope.create(scaling));
    }

    static NDList olora(NDManager scope, NDArray weight, int rank, double scaling, long seed) {
        return KERNELS.callList(scope, "olora", weight, scope.create(rank));
    }

    static NDList orthogonal(NDManager scope, NDArray weight, int rank, double scaling, long seed) {
        long out = weight.getShape().get(0);
        long in = weight.getShape().get(1);
        return KERNELS.callList(
                scope,
                "orthogonal",
                Draws.normal(scope, new Shape(rank, rank), 1, seed),
                Draws.normal(scope, new Shape(rank / 2, in), 0.1, seed + 1),
                Draws.normal(scope, new Shape(out, rank / 2), 0.1, seed + 2));
    }
}
