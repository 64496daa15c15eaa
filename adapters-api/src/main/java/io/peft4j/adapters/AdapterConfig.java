package io.peft4j.adapters;

import ai.djl.ndarray.NDManager;
import java.util.List;

/**
 * An adapter method with its settings: what to attach, and where.
 *
 * <p>A config is immutable. It travels as PEFT's {@code adapter_config.json}.
 */
public interface AdapterConfig extends AdapterFactory {

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
     * Begins an adapter: makes what its sites share. A method that shares nothing has nothing to do
     * here.
     *
     * @param sites the selected sites, in model order
     * @param owner the manager that parameters are created in; closing it frees them
     * @param seed decides every random number
     * @return what makes the states of this one adapter
     */
    default AdapterFactory begin(List<Site> sites, NDManager owner, long seed) {
        return this;
    }

    /**
     * Refuses sites that the settings do not fit, before anything is created.
     *
     * @param sites the selected sites, in model order
     * @throws AdapterConfigException if a setting for some modules fits none of these
     */
    default void validate(List<Site> sites) {}

    /**
     * Writes the settings under PEFT's names.
     *
     * @return the content of {@code adapter_config.json}
     */
    PeftConfig toPeft();
}
