package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of one adapter at one site, and the effective weight they stand for.
 *
 * <p>The arrays that a method returns belong to the manager of its first operand; intermediates do
 * not outlive the call. The state owns its parameters and frees them in {@link #close()}.
 */
public interface AdapterState extends AutoCloseable {

    /**
     * Returns the trainable parameters, float32.
     *
     * @return the parameters by PEFT's tensor key below the site, such as {@code lora_A.weight}, in
     *     a stable order
     */
    Map<String, Parameter> parameters();

    /**
     * Computes the effective weight, in the plainest form of the method.
     *
     * @param weight the frozen weight W, (out, in), float32
     * @param store where parameters are read from
     * @param training whether gradients will be asked for
     * @return W' (out, in), float32, differentiable in the parameters
     */
    NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training);

    /**
     * Applies the adapted linear map: {@code x · W'ᵀ + b}, with the method's dropout in training.
     *
     * <p>Methods override this with a form that never makes W'; it must give the same result.
     *
     * @param x the input, (…, in)
     * @param weight the frozen weight W, (out, in)
     * @param bias the frozen bias, (out), or null
     * @param store where parameters are read from
     * @param training whether dropout is on and gradients will be asked for
     * @return the output, (…, out)
     */
    default NDArray linear(
            NDArray x,
            NDArray weight,
            @Nullable NDArray bias,
            ParameterStore store,
            boolean training) {
        try (NDArray effective = effectiveWeight(weight, store, training)) {
            NDList output = Linear.linear(x, effective, bias);
            return output.singletonOrThrow();
        }
    }

    /**
     * Returns the rank, for methods that have one.
     *
     * @return the rank
     */
    default OptionalInt rank() {
        return OptionalInt.empty();
    }

    /**
     * Returns the factor of the adapter's update, for methods that have one.
     *
     * @return the scaling
     */
    default OptionalDouble scaling() {
        return OptionalDouble.empty();
    }

    /** Frees the parameters; a second call does nothing. */
    @Override
    void close();
}
