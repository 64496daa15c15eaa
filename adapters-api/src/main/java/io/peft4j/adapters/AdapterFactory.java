package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Makes the states of one adapter. */
public interface AdapterFactory {

    /**
     * Returns the parameters that all sites share, such as VeRA's projections (arXiv:2310.11454).
     * One that does not require a gradient stays frozen.
     *
     * @return the parameters by PEFT's key without {@code base_model.}, such as {@code vera_A};
     *     none unless a method says otherwise
     */
    default Map<String, Parameter> shared() {
        return Map.of();
    }

    /**
     * Creates the adapter's parameters for one site. A new adapter must leave the model's output as
     * it is, unless its initialisation says otherwise.
     *
     * @param site where it attaches
     * @param weight the frozen weight as a matrix (out, in), float32; read only, and gone after the
     *     call
     * @param owner the manager that the parameters are created in; closing it frees them
     * @param seed decides every random number; sites get different ones
     * @return the state
     * @throws AdapterConfigException if the settings do not fit the site
     */
    AdapterState create(Site site, NDArray weight, NDManager owner, long seed);

    /**
     * Creates what the adapter adds to the bias of a module whose weight it adapts.
     *
     * @param site the weight's site
     * @param owner the manager that the parameters are created in; closing it frees them
     * @return the state, whose W is the bias as a matrix (out, 1) and whose keys lie below the
     *     site; null if the adapter leaves biases alone
     */
    default @Nullable AdapterState createBias(Site site, NDManager owner) {
        return null;
    }
}
