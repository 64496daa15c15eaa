package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/** Root mean square norm of the last axis (Zhang and Sennrich, arXiv:1910.07467). */
final class RmsNorm extends NamedBlock {

    private final Parameter weight;
    private final double epsilon;

    RmsNorm(int width, double epsilon) {
        weight = addWeight(Parameter.Type.GAMMA, width);
        this.epsilon = epsilon;
    }

    Parameter weight() {
        return weight;
    }

    double epsilonValue() {
        return epsilon;
    }

    NDArray epsilon() {
        return Kernels.constant(epsilon);
    }

    NDArray apply(NDManager owner, NDArray x, Weights weights) {
        return Kernels.DECODER.call(owner, "rms_norm", x, weights.value(weight), epsilon());
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = inputs.singletonOrThrow();
        Weights weights = new Weights(parameterStore, x.getDevice(), training);
        return new NDList(apply(x.getManager(), x, weights));
    }
}
