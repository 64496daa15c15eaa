package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.GradMode;
import java.util.Collection;
import java.util.List;

/** Clipping of all gradients together by their global norm, as {@code clip_grad_norm_} of torch. */
public final class GradientClipping {

    private GradientClipping() {}

    /**
     * Scales the gradients by \(\min(1, \mathrm{maxNorm} / (\lVert g \rVert + 10^{-6}))\), where
     * \(\lVert g \rVert\) is the norm of all of them as one vector. To {@link GradientCoverage}, a
     * gradient that was scaled is as one that was not.
     *
     * @param parameters the parameters whose gradients count, one at least; those without a
     *     gradient are passed over
     * @param maxNorm the largest norm allowed; 0 only measures
     * @return the norm before scaling; not finite if a gradient is not
     */
    public static double clip(Collection<Parameter> parameters, double maxNorm) {
        NDList arrays = OptimizerKernels.arrays(parameters);
        try (GradMode off = GradMode.disabled();
                NDManager scope = arrays.get(0).getManager().newSubManager()) {
            NDArray limit = OptimizerKernels.doubles(scope, maxNorm);
            return OptimizerKernels.MODULE
                    .callLists(scope, "clip", List.of(arrays), limit)
                    .singletonOrThrow()
                    .getFloat();
        }
    }

    /** Fills the gradients that exist with zeros, a NaN included. */
    static void zero(Collection<Parameter> parameters) {
        NDList arrays = OptimizerKernels.arrays(parameters);
        try (GradMode off = GradMode.disabled();
                NDManager scope = arrays.get(0).getManager().newSubManager()) {
            OptimizerKernels.MODULE.callLists(scope, "zero", List.of(arrays));
        }
    }
}
