package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An adapter method with its settings: what to attach, and where.
 *
 * <p>A config is immutable. It travels as PEFT's {@code adapter_config.json}.
 */
public interface AdapterConfig {

    /**
     * Returns the method's name as a user writes it, such as {@code lora}.
     *
     * @return the name
     */
    String method();

    /**
     * Returns which sites the adapter attaches to.
     *
     * @return the targets
     */
    TargetModules targetModules();

    /**
     * Returns what is trained beside the adapted sites.
     *
     * @return nothing, unless a method says otherwise
     */
    default TrainedInFull trainedInFull() {
        return TrainedInFull.NOTHING;
    }

    /**
     * Tells whether an adapter of an embedding that shares its weight with the output head changes
     * the head as well, so that both stay one. Otherwise it changes only what it targets. Trained
     * token rows reach the head in any case.
     *
     * @return PEFT's {@code ensure_weight_tying}
     */
    default boolean ensureWeightTying() {
        return false;
    }

    /**
     * Tells whether weights of kind {@link Site.Kind#MATRIX} are stored (in, out). It says nothing
     * about linear layers, which are always (out, in) here.
     *
     * @return PEFT's {@code fan_in_fan_out}
     */
    default boolean fanInFanOut() {
        return false;
    }

    /**
     * Refuses sites that the settings do not fit, before anything is created.
     *
     * @param sites the selected sites, in model order
     * @throws AdapterConfigException if a setting for some modules fits none of these
     */
    default void validate(List<Site> sites) {}

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

    /**
     * Writes the settings under PEFT's names.
     *
     * @return the content of {@code adapter_config.json}
     */
    PeftConfig toPeft();
}
